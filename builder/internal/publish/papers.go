package publish

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/bundle"
)

//go:embed LICENSE.txt
var apache []byte

// AddPapers adds to files, entry name to content, what people and tools want
// to know of a bundle besides its models: card.json, sbom.cdx.json,
// provenance.intoto.json, NOTICE and, for a bundle under Apache-2.0, LICENSE.
// files holds everything else that the bundle of m will have but model.sig;
// data are the training files in the order of m.Lineage.DatasetSHA256. All of
// it follows from the arguments: the same bundle gives the same bytes.
func AddPapers(m bundle.Manifest, files map[string][]byte, data []train.Input) error {
	if slices.Equal(m.Licenses, []string{"Apache-2.0"}) {
		files[bundle.LicenseName] = apache
	}
	files[bundle.NoticeName] = []byte(notice(m))
	for _, p := range []struct {
		name  string
		value any
	}{
		{bundle.CardName, newCard(m, data)},
		// The list of parts and the provenance speak of the papers before them.
		{bundle.SBOMName, nil},
		{bundle.ProvenanceName, nil},
	} {
		switch p.name {
		case bundle.SBOMName:
			p.value = newSBOM(m, files)
		case bundle.ProvenanceName:
			p.value = newProvenance(m, files, data)
		}
		text, err := jsonText(p.value)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err) // unreachable: the values hold nothing that JSON cannot say
		}
		files[p.name] = text
	}
	return nil
}

// jsonText returns v as indented JSON with a line feed at the end; signs of
// HTML stay as they are.
func jsonText(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// notice returns NOTICE: whose work is in the bundle and on what terms.
func notice(m bundle.Manifest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n%s, %s.\n", m.Name, m.Version, m.Title, strings.Join(m.Authors, ", "), strings.Join(m.Licenses, ", "))
	fmt.Fprintf(&b, "\nTrained on the following data; no row of it is in this bundle.\n")
	for _, d := range m.Datasets {
		fmt.Fprintf(&b, "- %s. Licence: %s. %s\n", d.Name, d.License, d.URL)
	}
	if m.AttackVersion != "" {
		fmt.Fprintf(&b, "\nTechnique and tactic ids are those of MITRE ATT&CK %s. %s\n", m.AttackVersion, attack.Licence)
	}
	return b.String()
}
