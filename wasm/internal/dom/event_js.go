package dom

import (
	"syscall/js"

	"github.com/vugu/vugu"
	vjs "github.com/vugu/vugu/js"
)

// event is a [vugu.DOMEvent] that reads from the browser's event when asked,
// where Vugu's own copies every property of event and target beforehand.
type event struct {
	value   js.Value
	current js.Value // kept, as the browser clears it after the event
	env     vugu.EventEnv
	plain   js.Value
}

var _ vugu.DOMEvent = (*event)(nil)

// Prop follows the names from the event, e.g. "target", "value". It returns a
// string, float64 or bool, and nil for anything else or missing.
func (e *event) Prop(keys ...string) any {
	v := e.value
	for _, k := range keys {
		if t := v.Type(); t != js.TypeObject && t != js.TypeFunction {
			return nil
		}
		v = v.Get(k)
	}
	switch v.Type() {
	case js.TypeString:
		return v.String()
	case js.TypeNumber:
		return v.Float()
	case js.TypeBoolean:
		return v.Bool()
	}
	return nil
}

// PropString is Prop for a string; "" if it is none.
func (e *event) PropString(keys ...string) string { s, _ := e.Prop(keys...).(string); return s }

// PropFloat64 is Prop for a number; 0 if it is none.
func (e *event) PropFloat64(keys ...string) float64 { f, _ := e.Prop(keys...).(float64); return f }

// PropBool is Prop for a truth value; false if it is none.
func (e *event) PropBool(keys ...string) bool { b, _ := e.Prop(keys...).(bool); return b }

// EventSummary returns all plain properties of the event and, under "target",
// of its target. It costs a call for each: ask for those wanted by Prop.
func (e *event) EventSummary() map[string]any {
	summary := e.summary(e.value)
	if target := e.value.Get("target"); target.Type() == js.TypeObject {
		summary["target"] = e.summary(target)
	}
	return summary
}

func (e *event) summary(v js.Value) map[string]any {
	names := e.plain.Call("plain", v)
	m := make(map[string]any, names.Length())
	for i := range names.Length() {
		name := names.Index(i).String()
		m[name] = (&event{value: v}).Prop(name)
	}
	return m
}

func (e *event) JSEvent() vjs.Value              { return vjs.Value(e.value) }
func (e *event) JSEventTarget() vjs.Value        { return vjs.Value(e.value.Get("target")) }
func (e *event) JSEventCurrentTarget() vjs.Value { return vjs.Value(e.current) }
func (e *event) EventEnv() vugu.EventEnv         { return e.env }
func (e *event) PreventDefault()                 { e.value.Call("preventDefault") }
func (e *event) StopPropagation()                { e.value.Call("stopPropagation") }
