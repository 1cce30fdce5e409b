/** A schema file, imported as its text. */
declare module "*.ovsschema" {
  const text: string;
  export default text;
}
