// What the kiosk answers where the platform asks: POST /answers/{point}/{name} with {"arguments": …}.
export interface Money { minor: number; currency: string }
interface Line { sku: string; amount: Money }
type Opinion = { answer?: unknown }; // {}: no opinion

const answers: Record<string, (given: any) => Opinion | Opinion[]> = {
  "pricing.adjust-unit-price/jam-for-less": ({ lines }: { lines: Line[] }) =>
    lines.map((line) =>
      line.sku === "jam"
        ? { answer: { amount: { ...line.amount, minor: line.amount.minor - 100 }, by: "kiosk", reason: "jam for less" } }
        : {},
    ),
};

export function answered(name: string, given: unknown): unknown {
  return answers[name]?.(given);
}
