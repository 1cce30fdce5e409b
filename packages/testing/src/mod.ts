/** What the tests of every room share: prerequisites, the machine before and after, engines of their own. */
export * from "./cpio.ts";
export * from "./debian.ts";
export * from "./engine.ts";
export * from "./folder.ts";
export * from "./guest.ts";
export * from "./machine.ts";
export * from "./mark.ts";
export * from "./patience.ts";
export * from "./person.ts";
export * from "./requires.ts";
export * from "./router.ts";
export * from "./yard.ts";
