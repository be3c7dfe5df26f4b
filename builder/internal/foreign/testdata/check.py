"""Lets XGBoost and onnxruntime load what we write and answer it.

    go test ./builder/internal/foreign -run TestWritten_librariesAgree -write DIR
    python check.py DIR     # writes *-as-*.golden.json here
"""
import datetime, glob, hashlib, json, os, sys
import numpy as np
import onnxruntime as O
import xgboost as X

here = os.path.dirname(os.path.abspath(__file__))
for f in sorted(glob.glob(os.path.join(sys.argv[1], "*-as-*.xgboost")) + glob.glob(os.path.join(sys.argv[1], "*-as-*.onnx"))):
    name, kind = os.path.basename(f).rsplit(".", 1)
    with open(os.path.join(sys.argv[1], name + ".rows.json")) as r:
        q = np.array([[np.nan if v is None else v for v in row] for row in json.load(r)])
    data = open(f, "rb").read()
    if kind == "xgboost":
        b = X.Booster()
        b.load_model(bytearray(data))
        library, version = "xgboost", X.__version__
        score = b.predict(X.DMatrix(q, feature_names=b.feature_names, feature_types=b.feature_types, enable_categorical=True))
    else:
        s = O.InferenceSession(data, providers=["CPUExecutionProvider"])
        library, version = "onnxruntime", O.__version__
        score = s.run([o.name for o in s.get_outputs() if o.name != "label"], {"X": q})[0]
        if any(o.name == "label" for o in s.get_outputs()):
            label = s.run(["label"], {"X": q})[0]
            assert len(label) == len(q)
    rows = np.asarray(score).reshape(len(q), -1).tolist()
    with open(os.path.join(here, name + ".golden.json"), "w") as out:
        out.write("{" + ",\n".join(json.dumps(k) + ":" + json.dumps(v) for k, v in {
            "library": library, "version": version, "date": datetime.date.today().isoformat(), "script": "check.py",
            "sha256": hashlib.sha256(data).hexdigest()}.items()) + ',\n"score":[\n' + ",\n".join(json.dumps(r) for r in rows) + "]}\n")
    print(name, library, version)
