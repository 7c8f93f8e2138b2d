// Whether the engine behind the window answers.

import { onReach } from "../api/client";

let there = $state(true);
onReach((now) => (there = now));

export const engine = { get there() { return there; } };
