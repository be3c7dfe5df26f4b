// Command cloister trains models on labelled files, publishes them as bundles,
// scores files with a bundle and serves the page that does the same in a
// browser.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	exitDone  = 0
	exitCheck = 1 // nothing usable, or a check failed
	exitUsage = 2
)

// cli is the command line.
type cli struct {
	Progress bool `help:"Show progress even if standard error is no terminal."`

	Prep       prepCommand       `cmd:"" help:"Profile labelled files and split their rows, with manifests that rebuild the splits."`
	Train      trainCommand      `cmd:"" help:"Train the models of a recipe on labelled files and write a bundle."`
	Tune       tuneCommand       `cmd:"" help:"Search the parameters of a recipe's model by cross-validation; goes on after a kill."`
	Features   featuresCommand   `cmd:"" help:"Write the matrix that training would see, for inspection."`
	Flows      flowsCommand      `cmd:"" help:"Turn captures into flows, or write the packets of chosen flows."`
	Score      scoreCommand      `cmd:"" help:"Score files with a bundle: one line per row."`
	Evaluate   evaluateCommand   `cmd:"" help:"Judge a bundle on labelled files: one self-contained report."`
	Inspect    inspectCommand    `cmd:"" help:"Print what a bundle is, how it was made and how well it did."`
	Diff       diffCommand       `cmd:"" help:"Compare two bundles: features, labels, thresholds, metrics, size."`
	Lint       lintCommand       `cmd:"" help:"List what keeps a bundle from being published; replay its vectors natively and in WebAssembly."`
	Keygen     keygenCommand     `cmd:"" help:"Make a key pair to sign bundles with."`
	Sign       signCommand       `cmd:"" help:"Sign a bundle: OpenSSF Model Signing with a key."`
	Verify     verifyCommand     `cmd:"" help:"Say who signed a bundle; status 0 if a trusted key did."`
	Publish    publishCommand    `cmd:"" help:"Check a bundle and publish it in a registry."`
	Pull       pullCommand       `cmd:"" help:"Fetch a bundle from a registry: what a channel hands out, or a version."`
	Promote    promoteCommand    `cmd:"" help:"Make a channel of a registry hand out other bundles, or renew it."`
	Yank       yankCommand       `cmd:"" help:"Say that nobody should take a bundle any more, and why."`
	Job        jobCommand        `cmd:"" help:"Training jobs of a registry: submit, watch, cancel, list, fetch."`
	Token      tokenCommand      `cmd:"" help:"Tokens of a registry on this machine: create, list, revoke."`
	Serve      serveCommand      `cmd:"" help:"Serve the page and the bundles."`
	Standalone standaloneCommand `cmd:"" help:"Write the page as one file that works from a disk."`

	Telemetry telemetryCommand `cmd:"" help:"Host telemetry: ingest, normalise, window, engineer, prepare, export, or run for all."`

	Import importCommand `cmd:"" help:"Make a bundle of a model that XGBoost, LightGBM, scikit-learn (ONNX) or treelite has."`
	Export exportCommand `cmd:"" help:"Write the classifier of a bundle as ONNX or XGBoost JSON."`

	Rollout rolloutCommand `cmd:"" help:"Upload bundles to an edge deployment and publish its next channel."`
}

// streams are what a command may read and write.
type streams struct {
	in       io.Reader
	out, err io.Writer
	progress bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, progress: isTerminal(os.Stderr)}))
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, s streams) int {
	var c cli
	status := -1
	parser, err := kong.New(&c, kong.Name("cloister"), kong.UsageOnError(),
		kong.Description("Scores sensitive network data where it lies."),
		kong.Writers(s.out, s.err), kong.Exit(func(code int) { status = code }),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(s.err, "cloister:", err)
		return exitCheck // unreachable: the command line is a constant
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if status >= 0 { // --help has printed
		return status
	}
	if err != nil {
		fmt.Fprintf(s.err, "cloister: %v\ncloister --help lists the commands, cloister COMMAND --help their flags\n", err)
		return exitUsage
	}
	s.progress = s.progress || c.Progress
	k.Bind(s)
	if err := k.Run(); err != nil {
		var usage *usageError
		fmt.Fprintln(s.err, "cloister:", err)
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitCheck
	}
	return exitDone
}

// usageError is a command line that asks for something that cannot be.
type usageError struct{ what string }

func (e *usageError) Error() string { return e.what }

// isTerminal reports whether f is a terminal.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
