import type { Path } from "./places.ts";

/** What an entry says, or else the defaults of its kind. */
export class Given<T extends object> {
  constructor(
    private readonly own: T,
    private readonly ownPath: Path,
    private readonly defaults: Partial<T> | undefined,
    private readonly defaultsPath: Path,
  ) {}

  get<K extends keyof T & string>(key: K): T[K] | undefined {
    return this.own[key] ?? this.defaults?.[key];
  }

  /** Where {@link get}'s answer is written. */
  path(key: keyof T & string): Path {
    return [
      ...(this.own[key] === undefined && this.defaults?.[key] !== undefined ? this.defaultsPath : this.ownPath),
      key,
    ];
  }
}
