/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "dockernet.bad-request":
    "The engine's request is not one of libnetwork's remote driver protocol, as the message says.",
  "dockernet.bad-option":
    "An option given with `-o` is not one of the driver's, or cannot be what was given; the message says what is expected.",
  "dockernet.unknown-network":
    "The yard has no network that stands for that Docker network: it was removed, or made in another yard. Remove it with `docker network rm` and create it again.",
  "dockernet.unknown-endpoint": "The yard has no nic that stands for that end of a container. Restart the container.",
  "dockernet.unknown-pool": "The yard keeps no such pool of addresses. Remove the Docker network and create it again.",
  "dockernet.pool-overlaps": "The subnet overlaps one that another network has. Give another with `--subnet`.",
  "dockernet.address-taken": "Another nic of the yard, or a gateway, has the address. Give another with `--ip`.",
  "dockernet.pool-exhausted": "No address of the subnet is free. Give the network a wider `--subnet`.",
  "dockernet.already-served": "Another process serves a driver of that name already.",
  "dockernet.bad-name": "A driver's name is up to 32 letters, digits, `-` and `_`.",
  "dockernet.no-published-port": "Only a network with a gateway has published ports, an `--internal` one has none.",
  "dockernet.timeout": "The yard's agent did not apply the change in time. `yard ps` and the agent's log say more.",
} as const;
