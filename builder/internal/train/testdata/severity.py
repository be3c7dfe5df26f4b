# Measures scikit-learn on the rows and splits of `cloister features --recipe
# severity`: TF-IDF of 1,000 words and a balanced forest of 300 trees on the
# description, and on title and description; and holds the bundles of recipe
# severity on the same splits against it, split by split. Run, for seeds 1 to 7:
#
#   cloister features --recipe severity sigma-detections.csv --seed N --out sN
#   cloister train --recipe severity sigma-detections.csv --seed N --out sN/own.bundle
#   cloister inspect sN/own.bundle --json > sN/own.json
#   python severity.py s1 s2 s3 s4 s5 s6 s7 > severity.txt
import csv, json, sys, numpy as np, sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
STUDENT = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365}  # 97.5 % points by degrees of freedom
LINE = ': accuracy %.3f macro-F1 %.3f ROC-AUC %.3f'
print('scikit-learn', sklearn.__version__)
all_, ours = {}, []
for n, folder in enumerate(sys.argv[1:], 1):
    rows = list(csv.DictReader(open(folder + '/texts.csv')))
    y = np.array([r['label'] for r in rows]); part = np.array([r['split'] for r in rows])
    tr, te = part == 'train', part == 'holdout'
    for name, text in (('description', lambda r: r['PAYLOAD_DESCRIPTION']), ('title and description', lambda r: (r['TITLE'] + ' ' + r['PAYLOAD_DESCRIPTION']).strip())):
        docs = np.array([text(r) for r in rows], dtype=object)
        v = TfidfVectorizer(max_features=1000)
        m = RandomForestClassifier(300, class_weight='balanced', random_state=n, n_jobs=2).fit(v.fit_transform(docs[tr]), y[tr])
        p = m.predict_proba(v.transform(docs[te])); h = m.classes_[p.argmax(1)]; t = y[te]
        s = (accuracy_score(t, h), f1_score(t, h, average='macro'), roc_auc_score(t, p, multi_class='ovr', average='macro'))
        all_.setdefault(name, []).append(s)
        print(f'seed {n} {name}' + LINE % s)
    by = {m['name']: m['value'] for m in json.load(open(folder + '/own.json'))['metrics'] if m['split'] == 'holdout'}
    ours.append((by['accuracy'], by['macro-F1'], by['macro ROC-AUC']))
    print(f'seed {n} ours' + LINE % ours[-1])
for name, s in {**all_, 'ours': ours}.items():
    print(f'mean {name}' + LINE % tuple(np.mean(s, 0)))
for name, s in all_.items():
    d = np.array(ours) - np.array(s)
    half = STUDENT[len(d)-1] * d.std(0, ddof=1) / len(d)**.5 if len(d) - 1 in STUDENT else d[0] * np.nan
    print(f'ours less {name}: accuracy %+.3f ± %.3f macro-F1 %+.3f ± %.3f ROC-AUC %+.3f ± %.3f' % tuple(np.array([d.mean(0), half]).T.ravel()))
