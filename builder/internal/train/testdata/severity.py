# Measures scikit-learn on the rows and splits of `cloister features --recipe
# severity`: TF-IDF of 1,000 words and a balanced forest of 300 trees on the
# description, and on title and description. Run, for seeds 1 to 3:
#
#   cloister features --recipe severity sigma-detections.csv --seed N --out sN
#   python severity.py s1 s2 s3
import csv, sys, numpy as np, sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score
print('scikit-learn', sklearn.__version__)
all_ = {}
for n, folder in enumerate(sys.argv[1:], 1):
    rows = list(csv.DictReader(open(folder + '/texts.csv')))
    y = np.array([r['label'] for r in rows]); part = np.array([r['split'] for r in rows])
    tr, te = part == 'train', part == 'holdout'
    for name, text in (('description', lambda r: r['PAYLOAD_DESCRIPTION']), ('title and description', lambda r: (r['TITLE'] + ' ' + r['PAYLOAD_DESCRIPTION']).strip())):
        docs = np.array([text(r) for r in rows], dtype=object)
        v = TfidfVectorizer(max_features=1000)
        m = RandomForestClassifier(300, class_weight='balanced', random_state=n, n_jobs=2).fit(v.fit_transform(docs[tr]), y[tr])
        p = m.predict_proba(v.transform(docs[te])); h = m.classes_[p.argmax(1)]; t = y[te]
        s = (accuracy_score(t, h), precision_score(t, h, average='macro', zero_division=0), recall_score(t, h, average='macro'), f1_score(t, h, average='macro'), roc_auc_score(t, p, multi_class='ovr', average='macro'))
        all_.setdefault(name, []).append(s)
        print(f'seed {n} {name}: accuracy %.3f precision %.3f recall %.3f macro-F1 %.3f ROC-AUC %.3f' % s)
for name, s in all_.items():
    print(f'mean {name}: accuracy %.3f precision %.3f recall %.3f macro-F1 %.3f ROC-AUC %.3f' % tuple(np.mean(s, 0)))
