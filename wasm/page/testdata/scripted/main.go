//go:build js && wasm

// Command scripted is a worker whose verdicts are made up, for the page's
// tests. A file's first line says what to do: the number of rows, and after a
// space "slow", "panic" or "exit".
package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"cloister/shared/job"
	"cloister/wasm/internal/jsio"
)

func main() {
	if err := job.Serve(jsio.Self(), jsio.Guard(func() job.Scorer { return &scripted{} })); err != nil {
		panic(err)
	}
}

type scripted struct{ rows int64 }

func technique(id, tactic, confidence, basis string) job.Technique {
	return job.Technique{ID: id, Tactic: tactic, Confidence: confidence, Basis: basis}
}

var classes = []job.Class{
	{Name: "Benign", Severity: "Informational", Benign: true, Precision: 0.993, Recall: 0.996, Support: 2312},
	{Name: "SSH-Bruteforce", Severity: "High", Attack: []job.Technique{technique("T1110.001", "TA0006", "high", "published")}, Precision: 0.981, Recall: 0.964, Support: 55},
	{Name: "DoS_attacks-Hulk", Severity: "High", Attack: []job.Technique{technique("T1499.002", "TA0040", "high", "published")}, Precision: 0.9, Recall: 0.93, Support: 60},
	{Name: "Bot", Severity: "Critical", Attack: []job.Technique{technique("T1071.001", "TA0011", "medium", "published")}, Unseen: []string{"T1113", "T1056.001"}, Precision: 0.95, Recall: 0.9, Support: 41},
	{Name: "Infilteration", Severity: "Medium", Attack: []job.Technique{technique("T1046", "TA0007", "medium", "inferred")}, Unseen: []string{"T1566.001", "T1204.002"}, Precision: 0.41, Recall: 0.3, Support: 30},
}

var features = []string{"IN_BYTES", "OUT_BYTES", "IN_PKTS", "OUT_PKTS", "FLOW_DURATION_MILLISECONDS", "L4_DST_PORT", "TCP_FLAGS", "SRC_TO_DST_IAT_MAX", "DST_TO_SRC_IAT_MAX", "BYTES_PER_PACKET_IN", "BYTES_PER_PACKET_OUT", "PACKET_RATIO", "DNS_QUERY_ID"}

func (s *scripted) Load(bundle []byte) (job.Bundle, error) {
	if string(bundle) != "bundle" {
		return job.Bundle{}, job.Failf("bundle", "Use a bundle made by cloister train.", "bundle refused: byte 0: not a bundle")
	}
	none := job.Number(math.NaN())
	b := job.Bundle{
		Name: "flows", Version: "1.0.0", Title: "Flow triage", Description: "Fourteen attack classes and benign traffic, from NetFlow-like records.",
		SHA256: strings.Repeat("3fa94c1e", 8), Size: 412_310, Trust: "unsigned", Model: "random forest, 100 trees, 31,842 nodes; isolation forest, 100 trees",
		AttackVersion: "19.1", Classes: classes, Vectors: 64, Threshold: 0.5, Abstain: 0.4, Card: "# Flow triage\n\nMade up for a test.",
		Limits: []string{"Trained on one laboratory network in 2018; expect more false alarms elsewhere.", "Each attack lies on one day: figures on other days are lower.", "Infiltration is hardly recognised (F1 0.35)."},
		Data:   []string{"NF-CSE-CIC-IDS2018-v3, 9,700 rows (see NOTICE)"},
		Metrics: []job.Metric{
			{Name: "macro-F1", Value: 0.726, Low: 0.701, High: 0.748, Split: "holdout", Rows: 2910},
			{Name: "macro-F1, logistic regression", Value: 0.48, Low: 0.45, High: 0.51, Split: "holdout", Rows: 2910},
			{Name: "macro-F1, majority class", Value: 0.059, Low: 0.058, High: 0.06, Split: "holdout", Rows: 2910},
			{Name: "accuracy", Value: 0.986, Low: none, High: none, Split: "holdout", Rows: 2910},
		},
	}
	for _, f := range features {
		b.Features = append(b.Features, job.Feature{Name: f, Help: "made up"})
	}
	return b, nil
}

func (s *scripted) Score(f job.File, _ job.Options, emit func(job.Progress, *job.Batch) bool) (job.Summary, error) {
	head := make([]byte, min(64, f.Size()))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return job.Summary{}, err
	}
	line, _, _ := strings.Cut(string(head), "\n")
	var n int64
	var what string
	if k, _ := fmt.Sscan(line, &n, &what); k == 0 {
		return job.Summary{}, job.Failf("input", "Export flows as CSV with a heading line.", "%.64q is no flow file: the first line names no column that is known", f.Name())
	}
	s.rows = n
	r := rand.New(rand.NewPCG(1, 2))
	sum := job.Summary{
		Format: "NetFlow CSV (15 of 53 columns)", Reasons: map[string]int64{"column count": 3, "not a number": 1},
		Rejects:  []job.Reject{{Row: 17, Offset: 1802, Reason: "column count", Detail: "16 columns, want 17"}, {Row: 90, Offset: 9112, Reason: "not a number", Detail: `IN_BYTES: "12x<img src=x onerror=alert(1)>"`}},
		Rejected: 4, Rows: 4, ByClass: make([]int64, len(classes)),
		Mapping: []job.Mapping{
			{Field: "IN_BYTES", From: "IN_BYTES", How: "column", Needed: true}, {Field: "FLOW_DURATION_MILLISECONDS", From: "FLOW_DURATION_MILLISECONDS", How: "column", Needed: true},
			{Field: "BYTES_PER_PACKET", From: "IN_BYTES / IN_PKTS", How: "computed", Needed: true}, {Field: "TCP_WIN_MAX_IN", How: "missing"},
		},
		Unmapped: []string{"Label", "SECOND_BYTES"}, Imputed: []string{"TCP_WIN_MAX_IN"},
	}
	const step = 2000
	for at := int64(0); at < n; at += step {
		if at >= 3*step {
			switch what {
			case "slow":
				time.Sleep(60 * time.Millisecond)
			case "panic":
				var none []int
				_ = none[len(what)]
			case "exit":
				os.Exit(3)
			}
		}
		b := s.batch(r, at, min(step, n-at), sum.ByClass)
		sum.Scored += int64(len(b.Row))
		sum.Rows += int64(len(b.Row))
		if !emit(job.Progress{Bytes: f.Size() * min(at+step, n) / n, Total: f.Size(), Rows: sum.Rows, Rejected: 4}, b) {
			sum.Cancelled, sum.Stopped = true, "cancelled"
			break
		}
	}
	return sum, nil
}

func (s *scripted) batch(r *rand.Rand, at, n int64, byClass []int64) *job.Batch {
	b := &job.Batch{}
	column := func(name, unit string) *job.Column {
		b.Columns = append(b.Columns, job.Column{Name: name, Unit: unit})
		return &b.Columns[len(b.Columns)-1]
	}
	b.Columns = make([]job.Column, 0, 12)
	start, src, sport, dst, dport, proto, in, inp, out, outp, dur := column("FLOW_START_MILLISECONDS", "ms"), column("IPV4_SRC_ADDR", ""), column("L4_SRC_PORT", ""), column("IPV4_DST_ADDR", ""), column("L4_DST_PORT", ""), column("PROTOCOL", ""), column("IN_BYTES", "bytes"), column("IN_PKTS", "packets"), column("OUT_BYTES", "bytes"), column("OUT_PKTS", "packets"), column("FLOW_DURATION_MILLISECONDS", "ms")
	for i := at; i < at+n; i++ {
		k, attack := 0, 0.3*r.Float64()*r.Float64()
		if r.IntN(25) == 0 {
			k, attack = 1+r.IntN(len(classes)-1), 1-0.5*r.Float64()*r.Float64()
		} else if r.IntN(60) == 0 {
			attack = r.Float64()
		}
		p := max(attack, 1-attack)
		b.Row, b.Class, b.Probability, b.Attack = append(b.Row, i+1), append(b.Class, uint16(k)), append(b.Probability, p), append(b.Attack, attack)
		b.Anomaly, b.Abstained = append(b.Anomaly, r.Float64()), append(b.Abstained, r.IntN(80) == 0)
		b.Severity, b.Outside = append(b.Severity, uint8(slices.Index(job.Severities, classes[k].Severity))), append(b.Outside, i%211 == 210)
		byClass[k]++
		start.Numbers = append(start.Numbers, 1518611292443+float64(137*i))
		from := fmt.Sprintf("172.31.%d.%d", 64+r.IntN(6), 1+r.IntN(250))
		if k > 0 {
			from = fmt.Sprintf("18.221.219.%d", 1+r.IntN(6))
		}
		if i == 4 {
			from = `<img src=x onerror="document.title='owned'">`
		}
		src.Texts, dst.Texts = append(src.Texts, from), append(dst.Texts, fmt.Sprintf("172.31.69.%d", 4+r.IntN(26)))
		sport.Numbers, dport.Numbers = append(sport.Numbers, float64(49152+r.IntN(16000))), append(dport.Numbers, []float64{80, 443, 53, 22, 3389}[r.IntN(5)])
		proto.Numbers = append(proto.Numbers, []float64{6, 6, 6, 17}[r.IntN(4)])
		in.Numbers, inp.Numbers = append(in.Numbers, math.Floor(40*math.Exp(6*r.Float64()))), append(inp.Numbers, float64(1+r.IntN(90)))
		out.Numbers, outp.Numbers = append(out.Numbers, math.Floor(40*math.Exp(7*r.Float64()))), append(outp.Numbers, float64(r.IntN(120)))
		dur.Numbers = append(dur.Numbers, math.Floor(120000*r.Float64()*r.Float64()))
	}
	return b
}

func (s *scripted) Explain(row int64) (job.Record, error) {
	if row > s.rows {
		return job.Record{}, job.Failf("input", "", "row %d was not scored", row)
	}
	rec := job.Record{
		Row: row, Class: 1, Base: 0.019, Unit: "probability", Tolerance: 1e-9, Background: "the 6,790 training rows, as the trees saw them (path-dependent TreeSHAP)",
		Sentence: fmt.Sprintf("Row %d is most like SSH-Bruteforce (97.1 %%): 22 packets to port 22 in 1.2 s with short, even answers are rare in benign traffic.", row),
		Classes:  []job.Share{{Class: 1, Probability: 0.971}, {Class: 0, Probability: 0.021}, {Class: 4, Probability: 0.006}, {Class: 2, Probability: 0.002}, {Class: 3, Probability: 0}},
	}
	rec.Margin = rec.Base
	for i := range features {
		phi := 0.42 * math.Exp(-0.55*float64(i))
		if i%4 == 2 {
			phi = -phi
		}
		rec.Attributions = append(rec.Attributions, job.Attribution{Feature: i, Value: fmt.Sprint(1649 >> i), Percentile: job.Number(float64(i) / 13), SHAP: phi, Typical: fmt.Sprint(400 >> i)})
		rec.Margin += phi
		rec.Fields = append(rec.Fields, job.Field{Name: features[i], Value: fmt.Sprint(1649 >> i)})
	}
	rec.Additivity = 2.2e-16
	return rec, nil
}
