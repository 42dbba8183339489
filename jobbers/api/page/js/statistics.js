// What became of tasks within the last hour, by queue and by type.

import { get } from "./api.js";
import { useWatch } from "./watch.js";

/** What `/stats/queues` says of the last hour, by minute. */
export const useStatistics = () => useWatch("statistics", (signal) => get("stats/queues", { minutes: 60, step: 1 }, signal), { every: 30_000, topic: "statistics" });
