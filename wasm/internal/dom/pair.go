package dom

import (
	"reflect"
	"slices"

	"github.com/vugu/vugu"
)

// pair returns for each new child the index of the old one to make it from,
// or -1 to build it, by the rules of the package comment.
func (t *Tree) pair(old []*node, kids []child) []int {
	from := make([]int, len(kids))
	for j := range from {
		from[j] = -1
	}
	if len(old) == 0 || len(kids) == 0 {
		return from
	}
	identities := make([]identity, len(kids))
	for j, c := range kids {
		identities[j] = c.identity()
	}
	taken := make([]bool, len(old))
	takesOver := func(c child, l *node) bool {
		was := l.identity.instance
		return c.instance == was || reflect.TypeOf(c.instance) == reflect.TypeOf(was) && !t.creates(c.n)
	}
	// exact pairs by what name returns, where it returns something.
	exact := func(name func(identity) any) {
		index := make(map[any]int, len(old))
		for i := len(old) - 1; i >= 0; i-- { // the first of duplicates wins
			if k := name(old[i].identity); k != nil && !taken[i] {
				index[k] = i
			}
		}
		for j, c := range kids {
			if k := name(identities[j]); k != nil && from[j] < 0 {
				if i, ok := index[k]; ok && c.fits(old[i]) && takesOver(c, old[i]) {
					from[j], taken[i] = i, true
					delete(index, k)
				}
			}
		}
	}
	exact(func(id identity) any {
		if id.keyed {
			return id.key
		}
		return nil
	})
	exact(func(id identity) any {
		if !id.keyed {
			return id.instance
		}
		return nil
	})
	exact(func(id identity) any {
		if !id.keyed && id.id != "" {
			return id.id
		}
		return nil
	})
	// The rest in order, among those alike.
	type alike struct {
		kind      uint8
		space     string
		tag       string
		created   bool
		component reflect.Type
	}
	queues := map[alike][]int{}
	for i, l := range old {
		if !taken[i] && !l.identity.keyed {
			k := alike{l.kind, l.space, l.tag, l.created, reflect.TypeOf(l.identity.instance)}
			queues[k] = append(queues[k], i)
		}
	}
	for j, c := range kids {
		if from[j] >= 0 || identities[j].keyed {
			continue
		}
		k := alike{kind: kindText, component: reflect.TypeOf(c.instance)}
		switch c.n.Type {
		case vugu.CommentNode:
			k.kind = kindComment
		case vugu.ElementNode:
			k.kind, k.space, k.tag, k.created = kindElement, c.n.Namespace, c.n.Data, c.n.JSCreateHandler != nil
		}
		if q := queues[k]; len(q) > 0 && takesOver(c, old[q[0]]) {
			from[j], queues[k] = q[0], q[1:]
		}
	}
	return from
}

// creates reports whether n or something in it has a vg-js-create.
func (t *Tree) creates(n *vugu.VGNode) bool {
	if n.Component != nil {
		out := t.results.ResultFor(n.Component)
		return out != nil && slices.ContainsFunc(out.Out, t.creates)
	}
	if n.JSCreateHandler != nil {
		return true
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if t.creates(c) {
			return true
		}
	}
	return false
}

// increasing marks a longest increasing subsequence of the values >= 0: the
// nodes that may stay where they are while the others move around them.
//
// Source: Fredman, Discrete Mathematics 11 (1975) 29-35, the patience method;
// O(n log n).
func increasing(values []int) []bool {
	marked := make([]bool, len(values))
	var ends []int // ends[k]: index of the smallest last value of a run of k+1
	before := make([]int, len(values))
	for i, v := range values {
		if v < 0 {
			continue
		}
		k, _ := slices.BinarySearchFunc(ends, v, func(e, v int) int { return values[e] - v })
		before[i] = -1
		if k > 0 {
			before[i] = ends[k-1]
		}
		if k == len(ends) {
			ends = append(ends, i)
		} else {
			ends[k] = i
		}
	}
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			marked[i] = true
		}
	}
	return marked
}
