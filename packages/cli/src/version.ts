import manifest from "../package.json";

/** Of the executable and of every room in it. */
export const version: string = manifest.version;

/** What files that we write say that they are from. */
export const APPLICATION = `Switchyard ${version}`;
