"""Makes tfidf-golden.json and tfidf-python.json beside this file.

scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11.7 (Unicode 14.0.0). Run: python tfidf.py

tfidf-golden.json: what TfidfVectorizer makes of the texts of tfidf-sigma.csv.
Terms tied at the cut of max_features are taken in stable order, because
scikit-learn's own choice depends on the vector instructions of the machine;
the vocabulary is handed to it, the matrix is its own.

tfidf-python.json: the terms of difficult texts, the characters that re's \\w
and str.split treat specially, and str.lower of every character.
"""
import csv
import json
import os
import platform
import re
import unicodedata

import numpy
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

here = os.path.dirname(os.path.abspath(__file__))
origin = {
    "made_by": "tfidf.py",
    "scikit-learn": sklearn.__version__,
    "numpy": numpy.__version__,
    "python": platform.python_version(),
    "unicode": unicodedata.unidata_version,
}


def write(name, value):
    with open(os.path.join(here, name), "w", encoding="utf-8", newline="\n") as f:
        # a line for each member of the outer lists, so that diffs can be read
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
        f.write(re.sub(r'(\},|\],(?=["\[]))', r"\1\n", text) + "\n")


def vocabulary(docs, limit, counting):
    counter = CountVectorizer(**counting)
    counts = counter.fit_transform(docs)
    total = numpy.asarray(counts.sum(axis=0)).ravel()
    names = counter.get_feature_names_out()
    return sorted(names[numpy.argsort(-total, kind="stable")[:limit]])


def golden(docs, name, limit, every, sublinear=False, **counting):
    terms = vocabulary(docs, limit, counting)
    fitted = TfidfVectorizer(vocabulary=terms, sublinear_tf=sublinear, **counting).fit(docs)
    matrix = fitted.transform(docs).tocsr()
    matrix.sort_indices()
    weight = numpy.arange(1, len(terms) + 1)
    rows = []
    for i in range(0, len(docs), every):
        lo, hi = matrix.indptr[i], matrix.indptr[i + 1]
        rows.append([i, matrix.indices[lo:hi].tolist(), [round(v, 14) for v in matrix.data[lo:hi].tolist()]])
    low, high = counting.get("ngram_range", (1, 1))
    return {
        "name": name,
        "chars": counting.get("analyzer") == "char_wb",
        "grams": [low, high],
        "sublinear": sublinear,
        "max_features": limit,
        "terms": terms,
        "idf": [round(v, 14) for v in fitted.idf_.tolist()],
        "cells": int(matrix.nnz),
        # of each row: the sum over the columns j of (j+1) times the cell
        "sums": (matrix @ weight).tolist(),
        "rows": rows,
    }


with open(os.path.join(here, "tfidf-sigma.csv"), encoding="utf-8", newline="") as f:
    docs = [row["Payload_Description"] for row in csv.DictReader(f)]

write("tfidf-golden.json", {"origin": origin, "cases": [
    golden(docs, "defaults", 1000, 1),
    golden(docs, "word pairs, sublinear", 700, 3, sublinear=True, ngram_range=(1, 2)),
    golden(docs, "characters", 1500, 8, analyzer="char_wb", ngram_range=(3, 5)),
]})

TEXTS = [
    "Plain ASCII words, a b c, x1 _y __ 42 7 don't e-mail C2:443",
    "na\u00efve caf\u00e9 \u00c5NGSTR\u00d6M stra\u00dfe STRASSE \u1e9eSS",  # ẞ
    "\u0130stanbul I\u0130I \u0131\u015f\u0131k I\u0307 D\u0130\u011eER",  # Turkish
    "\u039f\u0394\u039f\u03a3 \u03a3 \u03a3\u03a3 \u0391\u03a3' \u0391\u03a3'\u0392 \u0391'\u03a3 1\u03a3 \u0391\u03a3\u0301\u0391 \u0391\u03a31",
    "\u0421\u041e\u0411\u042b\u0422\u0418\u0415 \u0432\u0445\u043e\u0434 \u2116 5",
    "\u691c\u77e5 \u4fb5\u5165\u691c\u77e5\u30b7\u30b9\u30c6\u30e0 \u304c \u3042\u308b\u3002\u653b\u6483",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "\u0661\u0662\u0663 \u00bd\u00b2 \u2167\u2168 \u24b6\u24b7 \u2160x \u3007\u4e00 \U0001d7d8\U0001d7d9",
    "e\u0301te\u0301 \u0065\u0301 n\u0303andu \ufb01le o\u200db a\u00adb zero\u200bwidth",
    "\U0001f600\U0001f600 ok\U0001f600ok \U00010400\U00010401 \U0001d49c\U0001d49d",
    "a\u00a0b\u2003cc\u3000dd\u0085ee\u1680ff\u2028gg\x1chh\x1dii\x1ejj\x1fkk\x0bll\x0cmm\tnn\r\noo",
    "nul\x00nul \x00 \x00\x00 tab\tb",
    "\u01c4 \u01c5 \u01c6 \u1f88 \u2126\u212a\u212b \u1c90\u10a0 \ua64a\u1c88 \u13a0\uab70",
    "\u039b\u039f\u0393\u039f\u03a3", "\u0391\u03a3'", "\u03a3", "'\u03a3", "\u0391'\u03a3",
    "", " ", "a", "ab", "  ab  ", "\ufeffbom \ufffd\ufffd\ufffd x\ufffdy",
]
CASES = [
    {}, {"ngram_range": (1, 2)}, {"ngram_range": (2, 3)},
    {"analyzer": "char_wb"}, {"analyzer": "char_wb", "ngram_range": (2, 3)},
    {"analyzer": "char_wb", "ngram_range": (3, 5)}, {"analyzer": "char_wb", "ngram_range": (6, 8)},
]
texts = []
for text in TEXTS:
    for case in CASES:
        low, high = case.get("ngram_range", (1, 1))
        terms = sorted(CountVectorizer(**case).build_analyzer()(text))
        texts.append({"text": text, "chars": "analyzer" in case, "grams": [low, high], "terms": terms})


def ranges(match):
    out = []
    for c in range(0x110000):
        if not 0xD800 <= c < 0xE000 and match(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return " ".join("%x-%x" % (a, b) for a, b in out)


def final(before, after):
    return (before + "\u03a3" + after).lower()[len(before)] == "\u03c2"


word = re.compile(r"(?u)\w")
write("tfidf-python.json", {
    "origin": origin,
    "texts": texts,
    "word": ranges(lambda c: word.match(c)),
    "space": ranges(lambda c: not c.split()),
    "unassigned": ranges(lambda c: unicodedata.category(c) == "Cn"),
    # what ends a search for a cased letter after a sigma, and what does not
    "cased": ranges(lambda c: not final("a", c)),
    "ignorable": ranges(lambda c: final("a", c) and not final("a", c + "a")),
    "lower": " ".join("%x:%s" % (c, "+".join("%x" % ord(l) for l in chr(c).lower()))
                      for c in range(0x110000) if not 0xD800 <= c < 0xE000 and chr(c).lower() != chr(c)),
})
