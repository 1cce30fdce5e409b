declare module "*.pack" {
  /** Where the file is found. */
  const path: string;
  export default path;
}
