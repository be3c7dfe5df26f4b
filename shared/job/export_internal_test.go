package job

// What the tests of another package look at.
var (
	AppendRows = appendRows
	DecodeRows = decodeRows
)
