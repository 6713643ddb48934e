// The moving model: bones, joints, markers of data and model, the lines between them, pelvis axes, floor.
import {
  AmbientLight,
  BufferAttribute,
  BufferGeometry,
  Color,
  CylinderGeometry,
  DirectionalLight,
  DynamicDrawUsage,
  GridHelper,
  InstancedMesh,
  LatheGeometry,
  LineBasicMaterial,
  LineSegments,
  Matrix4,
  MeshBasicMaterial,
  MeshLambertMaterial,
  PerspectiveCamera,
  Quaternion,
  Scene,
  SphereGeometry,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { find, make } from "./dom.js";
import { residual } from "./clip.js";

const UP = new Vector3(0, 1, 0);
const COLOURS = { bone: 0xdfd6c4, joint: 0x2b6cb0, data: 0xf2b705, model: 0xd1372c, miss: 0xd1372c, chosen: 0x8e24aa };
const AXIS_M = 0.2;
const LAYERS = ["bones", "data markers", "model markers", "residuals", "pelvis axes", "floor", "follow"];

// A bone of length 1 along y, thick near its ends.
const boneShape = () =>
  new LatheGeometry(
    [[0, 0], [0.8, 0.04], [1, 0.14], [0.55, 0.4], [0.5, 0.7], [0.8, 0.92], [0, 1]].map(([r, y]) => new Vector2(r, y)),
    8,
  );

export function showScene(clip, clock) {
  const place = find("scene");
  const software = drawsInSoftware();
  const renderer = new WebGLRenderer({ antialias: !software, powerPreference: "high-performance" });
  renderer.setPixelRatio(software ? 1 : Math.min(devicePixelRatio, 2));
  place.prepend(renderer.domElement);
  const scene = new Scene();
  scene.background = new Color(0xeef2f6);
  scene.add(new AmbientLight(0xffffff, 1.6), lamp(2, 5, 3, 1.9), lamp(-3, 2, -2, 0.6));
  const camera = new PerspectiveCamera(38, 1, 0.05, 100);
  const controls = new OrbitControls(camera, renderer.domElement);

  const parts = {
    bones: bonesOf(clip),
    joints: ballsOf(clip.skeleton.names.length, 0.016, COLOURS.joint),
    data: ballsOf(clip.markers.names.length, 0.011, COLOURS.data),
    model: ballsOf(clip.markers.names.length, 0.007, COLOURS.model),
    misses: linesOf(clip.markers.names.length, COLOURS.miss),
    axes: axesOf(),
    floor: new GridHelper(10, 20, 0x9aa7b5, 0xd3dbe3),
  };
  parts.floor.position.set(Math.round(clip.centre[0]), clip.floor, Math.round(clip.centre[2]));
  scene.add(...Object.values(parts));

  let chosen = -1;
  let asked = false;
  const draw = () => {
    // One picture per refresh of the screen, however many things ask for it.
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      renderer.render(scene, camera);
    });
  };
  const target = new Vector3(...clip.centre);
  let follows = true;
  const update = (frame) => {
    const middle = pelvisOf(clip, frame);
    if (follows && middle) {
      const moved = middle.clone().sub(controls.target);
      camera.position.add(moved);
      controls.target.copy(middle);
    }
    placeBones(parts.bones, clip, frame);
    placeBalls(parts.joints, clip.points.values, frame, clip.skeleton.names.length);
    placeMarkers(parts, clip, frame);
    placeAxes(parts.axes, clip, frame);
    controls.update();
    draw();
  };
  controls.target.copy(pelvisOf(clip, 0) ?? target);
  // Farther away where the picture is narrow, so that arms that are spread are on it.
  const wide = Math.max(1, (0.9 * place.clientHeight) / place.clientWidth);
  camera.position.copy(controls.target).addScaledVector(new Vector3(...clip.look), wide);
  controls.addEventListener("change", draw);

  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = place;
    renderer.setSize(width, height);
    camera.aspect = width / height;
    camera.updateProjectionMatrix();
    draw();
  }).observe(place);

  const switches = {
    bones: [parts.bones, parts.joints],
    "data markers": [parts.data],
    "model markers": [parts.model],
    residuals: [parts.misses],
    "pelvis axes": [parts.axes],
    floor: [parts.floor],
  };
  const toggles = LAYERS.map((name) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (name === "follow") follows = box.checked;
      else for (const part of switches[name]) part.visible = box.checked;
      update(clock.frame);
    });
    return make("label", {}, box, name);
  });
  find("layers").append(...toggles);
  clock.onFrame(update);
  return {
    choose(marker) {
      for (const [at, colour] of [[chosen, COLOURS.data], [marker, COLOURS.chosen]]) {
        if (at >= 0) parts.data.setColorAt(at, new Color(colour));
      }
      chosen = marker;
      parts.chosen = marker;
      parts.data.instanceColor.needsUpdate = true;
      update(clock.frame);
    },
  };
}

// Whether there is no graphics card: smooth edges would cost most of the frames then.
function drawsInSoftware() {
  const context = document.createElement("canvas").getContext("webgl2");
  const info = context?.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|software/i.test(info ? context.getParameter(info.UNMASKED_RENDERER_WEBGL) : "");
}

function lamp(x, y, z, strength) {
  const light = new DirectionalLight(0xffffff, strength);
  light.position.set(x, y, z);
  return light;
}

function ballsOf(count, radius, colour) {
  const balls = new InstancedMesh(
    new SphereGeometry(radius, 8, 6),
    new MeshLambertMaterial({ color: 0xffffff }),
    count,
  );
  for (let i = 0; i < count; i++) balls.setColorAt(i, new Color(colour));
  balls.instanceMatrix.setUsage(DynamicDrawUsage);
  balls.frustumCulled = false;
  return balls;
}

function bonesOf(clip) {
  const bones = new InstancedMesh(
    boneShape(),
    new MeshLambertMaterial({ color: COLOURS.bone }),
    clip.skeleton.bones.length,
  );
  bones.instanceMatrix.setUsage(DynamicDrawUsage);
  bones.frustumCulled = false;
  return bones;
}

function linesOf(count, colour) {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(6 * count), 3).setUsage(DynamicDrawUsage));
  const lines = new LineSegments(geometry, new LineBasicMaterial({ color: colour }));
  lines.frustumCulled = false;
  return lines;
}

// X red, Y green, Z blue; seen through bones.
function axesOf() {
  const rod = new CylinderGeometry(0.006, 0.006, 1, 8).translate(0, 0.5, 0);
  const axes = new InstancedMesh(rod, new MeshBasicMaterial({ depthTest: false }), 3);
  [0xe02626, 0x1aa637, 0x2659f2].forEach((colour, k) => axes.setColorAt(k, new Color(colour)));
  axes.renderOrder = 1;
  axes.frustumCulled = false;
  return axes;
}

const HIDDEN = new Matrix4().makeScale(0, 0, 0);
const matrix = new Matrix4();
const from = new Vector3();
const to = new Vector3();
const turn = new Quaternion();
const size = new Vector3();

function placeBones(bones, clip, frame) {
  const { values } = clip.points;
  const first = 3 * frame * clip.skeleton.names.length;
  clip.skeleton.bones.forEach(([start, end], index) => {
    from.fromArray(values, first + 3 * start);
    to.fromArray(values, first + 3 * end).sub(from);
    const length = to.length();
    if (!(length > 0)) {
      bones.setMatrixAt(index, HIDDEN);
      return;
    }
    const thick = Math.min(0.026, 0.01 + 0.09 * length);
    turn.setFromUnitVectors(UP, to.divideScalar(length));
    bones.setMatrixAt(index, matrix.compose(from, turn, size.set(thick, length, thick)));
  });
  bones.instanceMatrix.needsUpdate = true;
}

function placeBalls(balls, values, frame, count, scaleOf = () => 1) {
  for (let index = 0; index < count; index++) {
    const at = 3 * (frame * count + index);
    const scale = scaleOf(index);
    if (Number.isNaN(values[at]) || scale === 0) {
      balls.setMatrixAt(index, HIDDEN);
    } else {
      matrix.makeScale(scale, scale, scale).setPosition(values[at], values[at + 1], values[at + 2]);
      balls.setMatrixAt(index, matrix);
    }
  }
  balls.instanceMatrix.needsUpdate = true;
}

const data = { values: new Float32Array(0) };

function placeMarkers(parts, clip, frame) {
  const count = clip.markers.names.length;
  const first = 3 * frame * count;
  if (data.values.length !== 3 * count) data.values = new Float32Array(3 * count);
  const lines = parts.misses.geometry.attributes.position.array;
  for (let k = 0; k < 3 * count; k++) data.values[k] = clip.model.values[first + k] + clip.miss.values[first + k];
  for (let marker = 0; marker < count; marker++) {
    const unseen = Number.isNaN(residual(clip, frame, marker));
    for (let axis = 0; axis < 3; axis++) {
      const k = 3 * marker + axis;
      const model = clip.model.values[first + k];
      lines[6 * marker + axis] = unseen ? 0 : model;
      lines[6 * marker + 3 + axis] = unseen ? 0 : data.values[k];
    }
  }
  parts.misses.geometry.attributes.position.needsUpdate = true;
  // Markers that only were carried along are small: nothing was fitted to them.
  const scaleOf = (marker) => (marker === parts.chosen ? 1.9 : clip.markers.weights[marker] > 0 ? 1 : 0.45);
  placeBalls(parts.data, data.values, 0, count, scaleOf);
  placeBalls(parts.model, clip.model.values, frame, count, scaleOf);
}

function pelvisOf(clip, frame) {
  const middle = new Vector3().fromArray(clip.pelvis.values, 12 * frame + 9);
  return Number.isNaN(middle.x) ? null : middle;
}

function placeAxes(axes, clip, frame) {
  const pose = clip.pelvis.values.subarray(12 * frame, 12 * frame + 12);
  from.fromArray(pose, 9);
  for (let axis = 0; axis < 3; axis++) {
    to.set(pose[axis], pose[3 + axis], pose[6 + axis]);
    turn.setFromUnitVectors(UP, to.normalize());
    axes.setMatrixAt(axis, Number.isNaN(pose[9]) ? HIDDEN : matrix.compose(from, turn, size.set(1, AXIS_M, 1)));
  }
  axes.instanceMatrix.needsUpdate = true;
}
