/** What is done in nodes. */
export { type Copy, Inside, type InsideOptions, type Runners } from "./inside.ts";
export { hostsWay, type SshWay, sshCommand } from "./ssh.ts";
