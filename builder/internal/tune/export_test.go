package tune

// What tests check by itself.
var Thin = thin
