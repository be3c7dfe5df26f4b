package frame

// Names of alert fields that code refers to.
const (
	AlertTime        = "TIME_MILLISECONDS"
	AlertType        = "PAYLOAD_TYPE"
	AlertTitle       = "TITLE"
	AlertDescription = "PAYLOAD_DESCRIPTION"
	AlertTechniques  = "TECHNIQUES"
	AlertSeverity    = "SEVERITY"
)

// Alert is the schema of one alert in words: what a detection tool or an
// analyst wrote about something that happened. Addresses and ports use the
// names that [Flow] gives them, so that views of both can share code.
var Alert = NewSchema("alert", []Field{
	{Name: AlertTime, Unit: "ms", Help: "when it happened, milliseconds since 1970 UTC", Show: true},
	{Name: SrcAddr, Kind: Text, Help: "address that acted", Show: true},
	{Name: SrcPort, Help: "its transport port"},
	{Name: DstAddr, Kind: Text, Help: "address that was acted on", Show: true},
	{Name: DstPort, Help: "its transport port"},
	{Name: Protocol, Help: "IANA protocol number"},
	{Name: AlertType, Kind: Text, Help: "kind of payload or category, as the tool names it", Show: true},
	{Name: AlertTitle, Kind: Text, Help: "title or signature", Show: true},
	{Name: AlertDescription, Kind: Text, Help: "what the tool says about it", Show: true},
	{Name: AlertTechniques, Kind: Text, Help: "ATT&CK techniques that the tool names, separated by spaces"},
	{Name: AlertSeverity, Kind: Text, Help: "severity that the tool or its author gave"},
})
