// k6: an open workload at a constant rate, the same body again and again.
import http from "k6/http";

const body = open(__ENV.BENCH_BODY);
const params = { headers: { "Content-Type": "application/json" } };

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ["med", "p(99)"],
  scenarios: {
    load: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.BENCH_RATE),
      timeUnit: "1s",
      duration: __ENV.BENCH_SECONDS + "s",
      preAllocatedVUs: 100,
      maxVUs: 1000,
    },
  },
};

export default function () {
  http.post(__ENV.BENCH_URL, body, params);
}

export function handleSummary(data) {
  return { [__ENV.BENCH_SUMMARY]: JSON.stringify(data.metrics) };
}
