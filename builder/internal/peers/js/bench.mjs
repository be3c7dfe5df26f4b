// The work that is timed in JavaScript, the same in Node and in Chromium. A
// side has load, rows, score, single, predict and perhaps shap; each resolves
// to a number of rows, predict to scores.

const checked = (v) => {
  if (typeof v === "string") throw new Error(v);
  return v;
};

// ours starts our wasm program as worker, the text of site/static/worker.js, does.
export async function ours(Go, worker, module) {
  globalThis.self ??= globalThis;
  const join = new Function(worker + "; return cloisterJoin;")();
  const go = new Go();
  const instance = await join(go, await WebAssembly.compile(module));
  go.run(instance);
  const f = globalThis.ours;
  return {
    loops: (plain) => checked(f.kernel(plain ? 0 : 1)),
    load: (name, bytes) => checked(f.load(name, bytes)),
    drop: (name) => checked(f.drop(name)),
    rows: (name, bytes, d) => checked(f.rows(name, bytes, d)),
    score: (model, data, rows) => checked(f.score(model, data, rows)),
    single: (model, data) => checked(f.single(model, data)),
    shap: (model, data, rows, all) => checked(f.shap(model, data, rows, all)),
    predict: (model, data) => checked(f.predict(model, data)),
  };
}

// web starts onnxruntime-web with one thread.
export function web(ort) {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const models = new Map();
  const tables = new Map();
  const tensor = (t, from, to) => new ort.Tensor("float32", t.x.subarray(from * t.d, to * t.d), [to - from, t.d]);
  const run = async (m, x) => (await m.run({ X: x }, [m.outputNames.at(-1)]))[m.outputNames.at(-1)];
  return {
    async load(name, bytes) {
      models.set(name, await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
      return 0;
    },
    async drop(name) {
      const m = models.get(name);
      models.delete(name);
      await m?.release();
      return 0;
    },
    rows(name, bytes, d) {
      const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      const t = { x, d, n: x.length / d };
      tables.set(name, t);
      return t.n;
    },
    async score(model, data, rows) {
      const t = tables.get(data);
      const n = Math.min(rows, t.n);
      await run(models.get(model), tensor(t, 0, n));
      return n;
    },
    async single(model, data) {
      const t = tables.get(data);
      const n = Math.min(64, t.n);
      const m = models.get(model);
      // As its documentation does it: a tensor of the row, then all the model gives.
      for (let i = 0; i < n; i++) await m.run({ X: tensor(t, i, i + 1) });
      return n;
    },
    async predict(model, data) {
      const t = tables.get(data);
      const y = await run(models.get(model), tensor(t, 0, t.n));
      // skl2onnx gives an isolation forest's decision function, offset -0.5.
      const anomaly = models.get(model).outputNames.at(-1) === "scores";
      return Float64Array.from(y.data, (v) => (anomaly ? 0.5 - v : v));
    },
  };
}

// repeat calls work until clock, in seconds, is that much further.
export async function repeat(work, seconds, clock) {
  const start = clock();
  let rows = 0;
  for (;;) {
    rows += await work();
    const cpu = clock() - start;
    if (cpu >= seconds) return { rows, cpu };
  }
}

// handle does one request; read fetches a file, write keeps scores.
export async function handle(side, r, clock, read, write) {
  side.loops?.(r.plain ?? false);
  switch (r.do) {
    case "data":
      side.rows(r.data, await read(r.path), r.features ?? 0);
      return {};
    case "load": {
      const bytes = await read(r.path);
      // Short loads again and again, for clocks with coarse steps.
      const once = async () => {
        await side.drop(r.model);
        await side.load(r.model, bytes);
        return 1;
      };
      return repeat(once, r.seconds ?? 0, clock);
    }
    case "drop":
      await side.drop(r.model);
      return {};
    case "score":
      return repeat(() => side.score(r.model, r.data, r.rows), r.seconds, clock);
    case "single":
      return repeat(() => side.single(r.model, r.data), r.seconds, clock);
    case "shap":
      return repeat(() => side.shap(r.model, r.data, r.rows, r.all ?? false), r.seconds, clock);
    case "predict":
      await write(r.path, await side.predict(r.model, r.data));
      return {};
  }
  throw new Error("unknown request " + r.do);
}
