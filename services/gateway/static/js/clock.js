// <kefu-clock start due>: time left of a promise, or how late it is. <kefu-since at>: time that passed. Milliseconds since 1970.
import { now } from "./time.js";

const shown = new Set();

export function span(milliseconds) {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

class Ticking extends HTMLElement {
  connectedCallback() {
    shown.add(this);
    this.tick();
  }
  disconnectedCallback() {
    shown.delete(this);
  }
}

class Clock extends Ticking {
  tick() {
    const [start, due] = [Number(this.getAttribute("start")), Number(this.getAttribute("due"))];
    const part = due > start ? (now() - start) / (due - start) : 1;
    const level = part >= 1 ? "late" : part >= 0.8 ? "near" : part >= 0.5 ? "half" : "ok";
    if (this.getAttribute("level") !== level) {
      this.setAttribute("level", level);
      const words = this.querySelector(".sr");
      if (words) words.textContent = level === "late" ? this.dataset.late : this.dataset.left;
    }
    this.style.setProperty("--part", Math.min(1, Math.max(0, 1 - part)).toFixed(3));
    const left = due - now();
    const face = this.querySelector("b");
    const text = left > 0 ? span(left + 999) : `+${span(-left)}`;
    if (face && face.textContent !== text) face.textContent = text;
  }
}

class Since extends Ticking {
  tick() {
    const text = span(now() - Number(this.getAttribute("at")));
    if (this.textContent !== text) this.textContent = text;
  }
}

customElements.define("kefu-clock", Clock);
customElements.define("kefu-since", Since);
setInterval(() => shown.forEach((element) => element.tick()), 250);
