import classes from "./Statistics.module.css";

export interface Entry {
  name: string;
  value?: string | undefined;
  color: string;
  dashed?: boolean | readonly number[];
}

/** Which line is which; by its form, too, not by its colour alone. */
export function Legend({ entries }: { entries: Entry[] }) {
  return (
    <ul className={classes.legend}>
      {entries.map(({ name, value, color, dashed }) => (
        <li key={name}>
          <svg width="22" height="8" aria-hidden="true">
            <line x1="1" x2="21" y1="4" y2="4" style={{ stroke: `var(${color})` }} strokeWidth="2.5" strokeDasharray={Array.isArray(dashed) ? dashed.join(" ") : dashed ? "5 3" : undefined} />
          </svg>
          {name}
          {value === undefined ? null : <b>{value}</b>}
        </li>
      ))}
    </ul>
  );
}
