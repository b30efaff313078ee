export interface Tea {
  readonly name: string;
  readonly taste: string;
  readonly hue: "amber" | "jade" | "rose";
  readonly celsius: number;
  readonly minutes: number;
  readonly euros: number;
}

export const TEAS: readonly Tea[] = [
  { name: "Assam, second flush", taste: "Malt, honey, a dark cup.", hue: "amber", celsius: 95, minutes: 4, euros: 9.5 },
  { name: "Sencha", taste: "Grass after rain, a little salt.", hue: "jade", celsius: 70, minutes: 2, euros: 12 },
  { name: "Hibiscus", taste: "Sour cherry, no caffeine.", hue: "rose", celsius: 100, minutes: 8, euros: 6.5 },
];
