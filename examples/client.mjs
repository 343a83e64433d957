// Ask a model about pictures: node client.mjs model_repository/shapes/golden/circle-1.png ...  (Node 18 or newer, nothing to install)
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const gateway = process.env.GATEWAY ?? "http://localhost:8080";
const model = process.env.MODEL ?? "shapes";

async function infer(path, options = {}) {
  const form = new FormData();
  form.append("image", new Blob([await readFile(path)]), basename(path));
  for (const [name, value] of Object.entries(options)) form.append(name, String(value));
  const response = await fetch(`${gateway}/v1/models/${model}/infer`, { method: "POST", body: form, signal: AbortSignal.timeout(35_000) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.code}: ${answer.detail} (request ${answer.request_id})`);
  console.log(`${path}: ${response.headers.get("Cache-Status")}`);
  return answer;
}

for (const path of process.argv.slice(2)) {
  const answer = await infer(path);
  for (const { label, score, box } of answer.predictions ?? answer.detections) {
    console.log(`  ${score.toFixed(3)} ${label}`, box ?? "");
  }
}
