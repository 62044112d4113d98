// Chance from a seed: the same seed gives every iteration the same choices, whoever runs it and however often.

/** A generator of its own for each iteration: mulberry32, over a hash of what it is for. */
export class Chance {
  constructor(...what) {
    this.state = what.join('/').split('').reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619), 2166136261);
  }

  /** From 0 up to, not including, 1. */
  next() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** From `least` to, not including, `most`. */
  between(least, most) {
    return least + this.next() * (most - least);
  }

  /** A whole number from 0 up to, not including, `count`. */
  index(count) {
    return Math.floor(this.next() * count);
  }

  of(list) {
    return list[this.index(list.length)];
  }

  /** True in `percent` of a hundred cases. */
  happens(percent) {
    return this.next() * 100 < percent;
  }
}
