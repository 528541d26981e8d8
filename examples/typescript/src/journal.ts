// What the kiosk was told, each event once: a line is written and on the disk before the platform hears that it is taken.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface Event { id: string; type: string; subject: string; time: string; data: Record<string, unknown> }

export class Journal {
  private readonly seen = new Set<string>();
  readonly events: Event[] = [];
  private readonly file: number;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    const written = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const whole = written.lastIndexOf(10) + 1; // a line that was cut off when the kiosk was killed comes again
    if (whole < written.length) truncateSync(path, whole);
    for (const line of written.subarray(0, whole).toString("utf8").split("\n")) if (line) this.remember(JSON.parse(line));
    this.file = openSync(path, "a");
  }

  /** Write an event down; say whether it is new. */
  take(event: Event): boolean {
    if (this.seen.has(event.id)) return false;
    writeSync(this.file, JSON.stringify(event) + "\n");
    fsyncSync(this.file);
    this.remember(event);
    return true;
  }

  close(): void {
    closeSync(this.file);
  }

  private remember(event: Event): void {
    this.seen.add(event.id);
    this.events.push(event);
  }
}
