import manifest from "../package.json";

/** Of the executable and of every room in it. */
export const version: string = manifest.version;
