package attack_test

import (
	"slices"
	"strings"
	"testing"

	"cloister/shared/attack"
)

func TestDetections_table(t *testing.T) {
	techniques, analytics := 0, 0
	for technique := range attack.Techniques() {
		list := attack.Detections(technique.ID)
		if len(list) == 0 {
			continue
		}
		techniques++
		if len(list) > 2 {
			t.Errorf("%s: %d analytics", technique.ID, len(list))
		}
		for _, a := range list {
			analytics++
			if len(a.ID) != 6 || !strings.HasPrefix(a.ID, "AN") || len(a.Text) < 20 || len(a.Text) > 210 || !slices.IsSorted(a.Components) || len(a.Components) == 0 {
				t.Errorf("%s: %+v", technique.ID, a)
			}
			for _, c := range a.Components {
				if attack.ComponentName(c) == c {
					t.Errorf("%s: %s reads %s, which has no name", technique.ID, a.ID, c)
				}
			}
		}
	}
	// 130 lines: none is under an id that is no longer current
	if techniques < 60 || analytics != 130 {
		t.Errorf("%d analytics of %d techniques", analytics, techniques)
	}
}

func TestDetections_oneTechnique(t *testing.T) {
	list := attack.Detections("t1595")
	if len(list) != 1 || list[0].ID != "AN1962" || strings.Join(list[0].Components, " ") != "DC0078 DC0085" || list[0].Text != "Monitor network data for uncommon data flows." {
		t.Errorf("%+v", list)
	}
	if attack.ComponentName(attack.Content) != "Network Traffic Content" || attack.ComponentName("DC9999") != "DC9999" {
		t.Error("names of components")
	}
	for _, none := range []string{"", "T9999", "TA0001", "T1486"} {
		if got := attack.Detections(none); got != nil {
			t.Errorf("%q: %+v", none, got)
		}
	}
}

func TestDetections_parse(t *testing.T) {
	for _, bad := range []string{"T1\t2\t78", "T1\t2\t\ttext\n", "T1\n", "a\tb\tc\td\te\n"} {
		if err := attack.ParseAnalytics("# x\n" + bad); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
