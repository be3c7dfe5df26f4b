package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloister/builder/internal/telemetry/simulate"
	stages "cloister/builder/internal/telemetry/stage"
	"cloister/builder/internal/telemetry/table"
	"cloister/builder/internal/telemetry/wal"
	"cloister/shared/telemetry"
)

type telemetryCommand struct {
	Ingest    telemetryIngest    `cmd:"" help:"Stage 0: agents' SQLite databases, CSV, JSON Lines or Parquet to one table of raw metrics."`
	Normalise telemetryNormalise `cmd:"" help:"Stage 1: raw metrics to canonical units and rates."`
	Window    telemetryWindow    `cmd:"" help:"Stage 2: canonical metrics to windows."`
	Engineer  telemetryEngineer  `cmd:"" help:"Stage 3: windows to features."`
	Prepare   telemetryPrepare   `cmd:"" help:"Stage 4: features to the matrix, split by time and scaled."`
	Export    telemetryExport    `cmd:"" help:"Stage 5: tables, metadata, summary and plots of raw metrics."`
	Run       telemetryRun       `cmd:"" help:"All stages."`
	Simulate  telemetrySimulate  `cmd:"" help:"Make samples of hosts that do not exist, under attack and not; marked as simulated for good."`
	Features  telemetryFeatures  `cmd:"" help:"Print the dictionary of features."`

	Experiment telemetryExperiment `cmd:"" help:"Judge anomaly detection on labelled telemetry of real servers, beside simple methods."`
}

// telemetryConfig is the flag that all stages share.
type telemetryConfig struct {
	Config string `type:"existingfile" help:"JSON file of settings that differ from the defaults; cloister telemetry features --settings prints those."`
}

func (c telemetryConfig) read() (telemetry.Config, error) {
	if c.Config == "" {
		return telemetry.DefaultConfig(), nil
	}
	b, err := os.ReadFile(c.Config)
	if err != nil {
		return telemetry.Config{}, err
	}
	out, err := telemetry.ParseConfig(b)
	if err != nil {
		return out, &usageError{fmt.Sprintf("%s: %v", c.Config, err)}
	}
	return out, nil
}

// sqliteMagic begins every SQLite database.
const sqliteMagic = "SQLite format 3\x00"

// readRaw reads files of telemetry into one table, and says on s.err what each
// held.
func readRaw(ctx context.Context, s streams, names []string) (*table.Raw, error) {
	all := &table.Raw{}
	for _, name := range names {
		raw, err := readOne(ctx, s, name)
		if err != nil {
			return nil, err
		}
		all.Merge(raw)
	}
	return all, nil
}

func readOne(ctx context.Context, s streams, name string) (*table.Raw, error) {
	f, err := openInput(name, s.in)
	if err != nil {
		return nil, err
	}
	head := make([]byte, len(sqliteMagic))
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, closing(f, err)
	}
	if string(head[:n]) == sqliteMagic {
		if err := f.Close(); err != nil {
			return nil, err
		}
		if name == "-" {
			return nil, &usageError{"a database cannot come from standard input: its -wal file lies beside it"}
		}
		raw, report, err := wal.Read(ctx, name)
		if err == nil {
			fmt.Fprintf(s.err, "cloister: %s: %s; %d samples of %d metrics\n", filepath.Base(name), report, len(raw.Samples), len(raw.Header))
		}
		return raw, err
	}
	raw, err := table.Read(f, f.Name(), f.Size())
	if err = closing(f, err); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.err, "cloister: %s: %d rows, %d samples of %d metrics\n", f.Name(), raw.Rows, len(raw.Samples), len(raw.Header))
	for _, reason := range slices.Sorted(maps.Keys(raw.Bad)) {
		fmt.Fprintf(s.err, "cloister: %s: %d rows left out: %s\n", f.Name(), raw.Bad[reason], reason)
	}
	return raw, nil
}

// writeColumns writes a table as the name of the file says, CSV or Parquet; "-"
// is CSV on standard output.
func writeColumns(s streams, path string, columns []table.Column, codec string) error {
	if path == "-" {
		return table.WriteCSV(s.out, columns)
	}
	var b bytes.Buffer
	var err error
	if strings.HasSuffix(path, ".parquet") {
		err = table.WriteParquet(&b, columns, codec)
	} else {
		err = table.WriteCSV(&b, columns)
	}
	if err != nil {
		return err
	}
	return writeFile(path, b.Bytes())
}

// readWindows reads a table of windows as the stages write it.
func readWindows(s streams, name string) (*stages.Table, error) {
	f, err := openInput(name, s.in)
	if err != nil {
		return nil, err
	}
	t, err := stages.ReadTable(io.NewSectionReader(f, 0, f.Size()))
	if err = closing(f, err); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return t, nil
}

type telemetryIngest struct {
	Data []string `arg:"" help:"Databases of agents (table wal or events), CSV, JSON Lines or Parquet; - is standard input."`
	Out  string   `default:"-" help:"File to write, .csv or .parquet; - is CSV on standard output."`
}

// Help returns the example for --help.
func (telemetryIngest) Help() string {
	return "A database may be written by its agent meanwhile; of a copy the -wal file is needed too. Nothing is made up: without one usable sample the command fails and says what it found.\n\nExample:\n\n  cloister telemetry ingest flowagent.db --out build/raw.csv"
}

// Run reads and writes.
func (c *telemetryIngest) Run(ctx context.Context, s streams) error {
	raw, err := readRaw(ctx, s, c.Data)
	if err != nil {
		return err
	}
	return writeColumns(s, c.Out, raw.Columns(), "snappy")
}

type telemetryNormalise struct {
	telemetryConfig
	Data []string `arg:"" help:"Raw metrics, as ingest reads them."`
	Out  string   `default:"-" help:"File to write, .csv or .parquet; - is CSV on standard output."`
}

// Help returns the example for --help.
func (telemetryNormalise) Help() string {
	return "Example:\n\n  cloister telemetry normalise build/raw.csv --out build/canonical.csv"
}

// Run runs stage 1.
func (c *telemetryNormalise) Run(ctx context.Context, s streams) error {
	config, err := c.read()
	if err != nil {
		return err
	}
	raw, err := readRaw(ctx, s, c.Data)
	if err != nil {
		return err
	}
	canonical, err := stages.Normalise(config, raw)
	if err != nil {
		return err
	}
	return writeColumns(s, c.Out, canonical.Columns(), config.Compression)
}

type telemetryWindow struct {
	telemetryConfig
	Data string `arg:"" help:"Canonical metrics, as normalise writes them."`
	Out  string `default:"-" help:"File to write, .csv or .parquet; - is CSV on standard output."`
}

// Help returns the example for --help.
func (telemetryWindow) Help() string {
	return "Example:\n\n  cloister telemetry window build/canonical.csv --out build/windows.csv"
}

// Run runs stage 2.
func (c *telemetryWindow) Run(ctx context.Context, s streams) error {
	config, err := c.read()
	if err != nil {
		return err
	}
	canonical, err := readOne(ctx, s, c.Data)
	if err != nil {
		return err
	}
	windows, err := stages.Window(config, canonical)
	if err != nil {
		return err
	}
	return writeColumns(s, c.Out, windows.Columns(), config.Compression)
}

type telemetryEngineer struct {
	telemetryConfig
	Data string `arg:"" help:"Windows, as window writes them in CSV."`
	Out  string `default:"-" help:"File to write, .csv or .parquet; - is CSV on standard output."`
}

// Help returns the example for --help.
func (telemetryEngineer) Help() string {
	return "Example:\n\n  cloister telemetry engineer build/windows.csv --out build/features.csv"
}

// Run runs stage 3.
func (c *telemetryEngineer) Run(s streams) error {
	config, err := c.read()
	if err != nil {
		return err
	}
	windows, err := readWindows(s, c.Data)
	if err != nil {
		return err
	}
	full, err := stages.Engineer(config, windows)
	if err != nil {
		return err
	}
	return writeColumns(s, c.Out, full.Columns(), config.Compression)
}

type telemetryPrepare struct {
	telemetryConfig
	Data string `arg:"" help:"Features, as engineer writes them in CSV."`
	Out  string `required:"" type:"path" help:"Folder to write matrix.csv, validation.csv and preparer.json to."`
}

// Help returns the example for --help.
func (telemetryPrepare) Help() string {
	return "Example:\n\n  cloister telemetry prepare build/features.csv --out build/prepared"
}

// Run runs stage 4.
func (c *telemetryPrepare) Run(s streams) error {
	config, err := c.read()
	if err != nil {
		return err
	}
	full, err := readWindows(s, c.Data)
	if err != nil {
		return err
	}
	p, err := stages.Prepare(config, full)
	if err != nil {
		return err
	}
	fitted, err := p.Preparer.AppendJSON(nil)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Out, "preparer.json"), fitted); err != nil {
		return err
	}
	for name, validation := range map[string]bool{"matrix.csv": false, "validation.csv": true} {
		t := &stages.Table{Names: p.Matrix.Names, Labelled: p.Matrix.Labelled}
		for i, r := range p.Matrix.Rows {
			if p.Validation[i] == validation {
				t.Rows = append(t.Rows, r)
			}
		}
		if err := writeColumns(s, filepath.Join(c.Out, name), t.Columns(), config.Compression); err != nil {
			return err
		}
	}
	return nil
}

type telemetryExport struct {
	telemetryConfig
	Data []string `arg:"" help:"Raw metrics, as ingest reads them."`
	Out  string   `required:"" type:"path" help:"Folder to write to."`
	JSON bool     `name:"json" help:"Print the summary as JSON."`
}

// Help returns the example for --help.
func (telemetryExport) Help() string {
	return "Writes canonical_telemetry_full, train_features and val_features (CSV and Parquet), feature_metadata.json, pipeline_summary.json, features.md, preparer.json, config.json and four plots (SVG and PNG). Equal input gives equal bytes.\n\nExamples, which do the same:\n\n  cloister telemetry run flowagent.db --out build/telemetry\n  cloister telemetry export flowagent.db --out build/telemetry"
}

// Run runs all stages.
func (c *telemetryExport) Run(ctx context.Context, s streams) error {
	config, err := c.read()
	if err != nil {
		return err
	}
	raw, err := readRaw(ctx, s, c.Data)
	if err != nil {
		return err
	}
	full, report, err := stages.Run(config, raw)
	if err != nil {
		return err
	}
	summary, err := stages.Export(c.Out, config, full, raw, report)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(summary)
	}
	mark := ""
	if summary.Simulated {
		mark = ", simulated"
	}
	_, err = fmt.Fprintf(s.out, "%d samples of %d devices%s: %d windows (%d training, %d validation), %d values a window, %d of them engineered; %d windows flagged\n",
		summary.InputSamples, len(summary.Devices), mark, summary.Windows, summary.Train, summary.Validation, summary.Features, summary.Engineered, summary.Flagged)
	return err
}

// telemetryRun is all stages under the name that says so.
type telemetryRun struct{ telemetryExport }

type telemetrySimulate struct {
	Devices int     `default:"4" help:"How many hosts."`
	Hours   float64 `default:"12" help:"How long."`
	Step    int     `default:"10" help:"Seconds between samples."`
	Seed    uint64  `default:"1" help:"The same seed gives the same bytes."`
	Out     string  `default:"-" help:"File to write, .csv or .parquet; - is CSV on standard output."`
	Truth   string  `type:"path" help:"File to write what happened to, as JSON."`
}

// Help returns the example for --help.
func (telemetrySimulate) Help() string {
	return "Each host does in turn what six attacks look like and what harmless work resembles them. Every row is marked as simulated, and so is everything made from it.\n\nExample:\n\n  cloister telemetry simulate --devices 2 --hours 12 --out build/simulated.csv --truth build/truth.json"
}

// Run simulates.
func (c *telemetrySimulate) Run(s streams) error {
	raw, truth, err := simulate.Run(simulate.Options{Devices: c.Devices, Hours: c.Hours, StepSec: c.Step, Seed: c.Seed})
	if err != nil {
		return &usageError{err.Error()}
	}
	if c.Truth != "" {
		b, err := json.MarshalIndent(truth, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(c.Truth, append(b, '\n')); err != nil {
			return err
		}
	}
	return writeColumns(s, c.Out, raw.Columns(), "snappy")
}

type telemetryFeatures struct {
	telemetryConfig
	Settings bool `help:"Print the settings instead, in the form of --config."`
	JSON     bool `name:"json" help:"Print the dictionary as JSON."`
}

// Help returns the example for --help.
func (telemetryFeatures) Help() string {
	return "Example:\n\n  cloister telemetry features --settings > build/settings.json"
}

// Run prints the dictionary.
func (c *telemetryFeatures) Run(s streams) error {
	config, err := c.read()
	if err != nil {
		return err
	}
	if c.Settings {
		b, err := config.AppendJSON(nil)
		if err == nil {
			_, err = s.out.Write(b)
		}
		return err
	}
	list := telemetry.Features(config)
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	_, err = fmt.Fprint(s.out, telemetry.Markdown(list))
	return err
}
