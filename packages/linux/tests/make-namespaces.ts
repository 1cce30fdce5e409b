// Makes and deletes the namespaces named by its arguments over and over, until it is killed.
import { createNamespaces, deleteNamespaces } from "../src/mod.ts";

const names = process.argv.slice(2);
process.stdout.write("ready\n");
for (;;) {
  createNamespaces(names);
  deleteNamespaces(names);
}
