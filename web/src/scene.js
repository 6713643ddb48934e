// The moving model: bones, joints, markers of data and model, the lines between them, pelvis axes, floor.
// Each kind is one mesh: without a graphics card, every mesh and every instance of one costs as much as many triangles.
import {
  AmbientLight,
  BufferAttribute,
  BufferGeometry,
  Color,
  CylinderGeometry,
  DirectionalLight,
  DynamicDrawUsage,
  GridHelper,
  LatheGeometry,
  LineBasicMaterial,
  LineSegments,
  Mesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  PerspectiveCamera,
  Points,
  Quaternion,
  Scene,
  ShaderMaterial,
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
const NOWHERE_M = 1e6;
const REST_MS = 250;
const AXES = [0xe02626, 0x1aa637, 0x2659f2];
// What can be shown: its name, the colours that it has on the picture, and what these are.
const LAYERS = [
  ["bones", [COLOURS.bone, COLOURS.joint], "bones and joint centres of the fitted model"],
  ["data markers", [COLOURS.data], "where the data have them; small ones have no weight: nothing is fitted to them"],
  ["model markers", [COLOURS.model], "where the fitted model has them; hidden by those of the data where it fits"],
  ["residuals", [COLOURS.miss], "from each marker of the model that has a weight to that of the data"],
  ["pelvis axes", AXES, "X (forward) red, Y (up) green, Z (right) blue, 20 cm"],
  ["floor", [], "squares of half a metre"],
  ["follow", [], "whether the view moves with the pelvis"],
];

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
  // Without a graphics card edges are smoothed once nothing moves, by drawing finer than the screen.
  const resting = software ? 2 : Math.min(devicePixelRatio, 2);
  const moving = software ? 1 : resting;
  renderer.setPixelRatio(moving);
  place.prepend(renderer.domElement);
  const scene = new Scene();
  scene.background = new Color(0xeef2f6);
  scene.add(new AmbientLight(0xffffff, 1.6), lamp(2, 5, 3, 1.9), lamp(-3, 2, -2, 0.6));
  const camera = new PerspectiveCamera(38, 1, 0.05, 100);
  const controls = new OrbitControls(camera, renderer.domElement);

  const parts = {
    bones: rodsOf(boneShape(), clip.skeleton.bones.length, new MeshLambertMaterial({ color: COLOURS.bone })),
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
  let rest = 0;
  const render = (ratio) => {
    if (renderer.getPixelRatio() !== ratio) renderer.setPixelRatio(ratio);
    renderer.render(scene, camera);
  };
  const draw = () => {
    // One picture per refresh of the screen, however many things ask for it.
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      render(moving);
      clearTimeout(rest);
      if (resting !== moving) rest = setTimeout(() => render(resting), REST_MS);
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
    placeBalls(parts.joints, clip.points.values, frame);
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
  const toggles = LAYERS.map(([name, colours, title]) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (name === "follow") follows = box.checked;
      else for (const part of switches[name]) part.visible = box.checked;
      update(clock.frame);
    });
    return make("label", { title }, box, ...colours.map(swatch), name);
  });
  find("layers").append(...toggles);
  for (const balls of [parts.data, parts.model]) sizeMarkers(balls, clip, chosen);
  clock.onFrame(update);
  return {
    choose(marker) {
      paintBall(parts.data, chosen, COLOURS.data);
      paintBall(parts.data, marker, COLOURS.chosen);
      chosen = marker;
      for (const balls of [parts.data, parts.model]) sizeMarkers(balls, clip, chosen);
      update(clock.frame);
    },
  };
}

function swatch(colour) {
  const key = make("span", { className: "key" });
  key.style.background = `#${colour.toString(16).padStart(6, "0")}`;
  return key;
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

// Balls are points that the shader rounds and shades: as round as any sphere, and one vertex each.
function ballsOf(count, radius, colour) {
  const geometry = new BufferGeometry();
  const attribute = (name, size) => {
    geometry.setAttribute(name, new BufferAttribute(new Float32Array(size * count), size).setUsage(DynamicDrawUsage));
  };
  attribute("position", 3);
  attribute("color", 3);
  attribute("scale", 1);
  const material = new ShaderMaterial({
    uniforms: { radius: { value: radius }, height: { value: 1 } },
    vertexShader: BALL_VERTEX,
    fragmentShader: BALL_FRAGMENT,
  });
  const balls = new Points(geometry, material);
  balls.frustumCulled = false;
  balls.onBeforeRender = (renderer) => (material.uniforms.height.value = renderer.domElement.height);
  geometry.attributes.scale.array.fill(1);
  for (let i = 0; i < count; i++) paintBall(balls, i, colour);
  return balls;
}

const BALL_VERTEX = `
  uniform float radius, height;
  attribute vec3 color;
  attribute float scale;
  varying vec3 paint;
  void main() {
    paint = color;
    // Nearer by its radius, as the front of a sphere is: so it shows where it reaches out of a bone.
    vec4 seen = modelViewMatrix * vec4(position, 1.0) + vec4(0.0, 0.0, radius * scale, 0.0);
    gl_Position = projectionMatrix * seen;
    gl_PointSize = radius * scale * projectionMatrix[1][1] * height / -seen.z;
  }`;

const BALL_FRAGMENT = `
  varying vec3 paint;
  void main() {
    vec2 at = 2.0 * gl_PointCoord - 1.0;
    float rest = 1.0 - dot(at, at);
    if (rest < 0.0) discard;
    float lit = 0.62 + 0.38 * max(0.0, dot(vec3(at.x, -at.y, sqrt(rest)), vec3(0.32, 0.8, 0.5)));
    gl_FragColor = vec4(paint * lit, 1.0);
    #include <colorspace_fragment>
  }`;

function paintBall(balls, index, colour) {
  if (index < 0) return;
  new Color(colour).toArray(balls.geometry.attributes.color.array, 3 * index);
  balls.geometry.attributes.color.needsUpdate = true;
}

// Markers that only were carried along are small: nothing was fitted to them.
function sizeMarkers(balls, clip, chosen) {
  const { array } = balls.geometry.attributes.scale;
  clip.markers.weights.forEach((weight, marker) => (array[marker] = marker === chosen ? 1.9 : weight > 0 ? 1 : 0.45));
  balls.geometry.attributes.scale.needsUpdate = true;
}

// Rods of one shape, which stands along y with length 1, as one mesh; `placeRod` puts each between two points.
function rodsOf(shape, count, material) {
  const nVertices = shape.attributes.position.count;
  const geometry = new BufferGeometry();
  for (const name of ["position", "normal"]) {
    const array = new Float32Array(3 * nVertices * count);
    geometry.setAttribute(name, new BufferAttribute(array, 3).setUsage(DynamicDrawUsage));
  }
  const corners = Array.from(shape.index.array);
  geometry.setIndex(Array.from({ length: count }, (_, rod) => corners.map((corner) => corner + rod * nVertices)).flat());
  const rods = new Mesh(geometry, material);
  rods.frustumCulled = false;
  rods.shape = shape.attributes;
  return rods;
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
  const shape = new CylinderGeometry(1, 1, 1, 8).translate(0, 0.5, 0);
  const axes = rodsOf(shape, 3, new MeshBasicMaterial({ depthTest: false, vertexColors: true }));
  const nVertices = shape.attributes.position.count;
  const colours = new Float32Array(9 * nVertices);
  AXES.forEach((colour, axis) => {
    for (let k = 0; k < nVertices; k++) new Color(colour).toArray(colours, 3 * (axis * nVertices + k));
  });
  axes.geometry.setAttribute("color", new BufferAttribute(colours, 3));
  axes.renderOrder = 1;
  return axes;
}

const from = new Vector3();
const to = new Vector3();
const point = new Vector3();
const turn = new Quaternion();

// Puts a rod from one point along a vector, `thick` metres in radius; one without length vanishes.
function placeRod(rods, index, start, along, thick) {
  const { position, normal } = rods.shape;
  const placed = rods.geometry.attributes;
  const length = along.length();
  const isThere = length > 0;
  if (isThere) turn.setFromUnitVectors(UP, along.divideScalar(length));
  for (let k = 0, at = 3 * index * position.count; k < position.count; k++, at += 3) {
    if (isThere) point.fromBufferAttribute(position, k);
    else point.set(0, 0, 0);
    point.set(point.x * thick, point.y * length, point.z * thick).applyQuaternion(turn).add(start);
    point.toArray(placed.position.array, at);
    if (!isThere) continue;
    point.fromBufferAttribute(normal, k);
    // Normals stretch the other way round.
    point.set(point.x / thick, point.y / length, point.z / thick).normalize().applyQuaternion(turn);
    point.toArray(placed.normal.array, at);
  }
  placed.position.needsUpdate = placed.normal.needsUpdate = true;
}

function placeBones(bones, clip, frame) {
  const { values } = clip.points;
  const first = 3 * frame * clip.skeleton.names.length;
  clip.skeleton.bones.forEach(([start, end], index) => {
    from.fromArray(values, first + 3 * start);
    to.fromArray(values, first + 3 * end).sub(from);
    const isThere = to.length() > 0;
    if (!isThere) [from, to].forEach((vector) => vector.set(0, 0, 0));
    placeRod(bones, index, from, to, Math.min(0.026, 0.01 + 0.09 * to.length()));
  });
}

function placeBalls(balls, values, frame) {
  const { position } = balls.geometry.attributes;
  const { array } = position;
  // What is not there lies beyond everything that is drawn.
  for (let k = 0, at = frame * array.length; k < array.length; k++, at++) {
    array[k] = Number.isNaN(values[at]) ? NOWHERE_M : values[at];
  }
  position.needsUpdate = true;
}

const data = { values: new Float32Array(0) };

function placeMarkers(parts, clip, frame) {
  const count = clip.markers.names.length;
  const first = 3 * frame * count;
  if (data.values.length !== 3 * count) data.values = new Float32Array(3 * count);
  const lines = parts.misses.geometry.attributes.position.array;
  for (let k = 0; k < 3 * count; k++) data.values[k] = clip.model.values[first + k] + clip.miss.values[first + k];
  for (let marker = 0; marker < count; marker++) {
    // Nothing is fitted to markers without weight: how far they are off would look like a fault.
    const unseen = !(clip.markers.weights[marker] > 0) || Number.isNaN(residual(clip, frame, marker));
    for (let axis = 0; axis < 3; axis++) {
      const k = 3 * marker + axis;
      const model = clip.model.values[first + k];
      lines[6 * marker + axis] = unseen ? 0 : model;
      lines[6 * marker + 3 + axis] = unseen ? 0 : data.values[k];
    }
  }
  parts.misses.geometry.attributes.position.needsUpdate = true;
  placeBalls(parts.data, data.values, 0);
  placeBalls(parts.model, clip.model.values, frame);
}

function pelvisOf(clip, frame) {
  const middle = new Vector3().fromArray(clip.pelvis.values, 12 * frame + 9);
  return Number.isNaN(middle.x) ? null : middle;
}

function placeAxes(axes, clip, frame) {
  const pose = clip.pelvis.values.subarray(12 * frame, 12 * frame + 12);
  const isThere = !Number.isNaN(pose[9]);
  from.fromArray(isThere ? pose.subarray(9) : [0, 0, 0]);
  for (let axis = 0; axis < 3; axis++) {
    to.set(pose[axis], pose[3 + axis], pose[6 + axis]);
    placeRod(axes, axis, from, isThere ? to.setLength(AXIS_M) : to.set(0, 0, 0), 0.006);
  }
}
