// The platform's API: a call is a POST with JSON; a refusal is a problem document with a slug and a remedy.
export interface Problem { slug: string; detail: string; remedy: string; status: number; path?: string }

export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.slug}: ${problem.detail}; ${problem.remedy}`);
  }
}

export class Platform {
  constructor(private readonly url: string, private readonly key: string) {}

  /** Call a capability. With a key of its own the call has its effect once, however often it is sent. */
  async call<Answer = unknown>(name: string, ask: unknown, once?: string): Promise<Answer> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.key}`, "content-type": "application/json" };
    if (once) headers["idempotency-key"] = once;
    for (let pause = 200; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        const answer = await fetch(`${this.url}/v1/${name}`, { method: "POST", headers, body: JSON.stringify(ask) });
        if (answer.ok) return (await answer.json()) as Answer;
        const problem = (await answer.json()) as Problem;
        if (answer.status !== 503 && answer.status !== 429) throw new Refused(problem);
      } catch (error) {
        if (error instanceof Refused || !once) throw error; // without a key it may have had its effect
      }
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.url}/ready`).then((answer) => answer.ok, () => false);
  }
}
