// The one frame that every part of the page shows, and playing.

export class Clock {
  constructor(times) {
    this.times = times;
    this.frame = 0;
    this.speed = 1;
    this.playing = false;
    this.listeners = [];
  }

  onFrame(listener) {
    this.listeners.push(listener);
  }

  goTo(frame) {
    const wanted = Math.max(0, Math.min(this.times.length - 1, Math.round(frame)));
    if (wanted === this.frame && this.shown) return;
    this.frame = wanted;
    this.shown = true;
    for (const listener of this.listeners) listener(wanted);
  }

  step(by) {
    this.stop();
    this.goTo(this.frame + by);
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  play() {
    if (this.frame >= this.times.length - 1) this.goTo(0);
    this.playing = true;
    let time = this.times[this.frame];
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      // A page that was hidden goes on where it was, not where it would be by now.
      time += Math.min((now - before) / 1000, 0.25) * this.speed;
      before = now;
      let frame = this.frame;
      while (frame < this.times.length - 1 && this.times[frame + 1] <= time) frame++;
      this.goTo(frame);
      if (frame >= this.times.length - 1) this.stop();
      else requestAnimationFrame(tick);
    };
    this.changed?.();
    requestAnimationFrame(tick);
  }

  stop() {
    this.playing = false;
    this.changed?.();
  }
}
