//! The servers that one writes by hand, to measure anyloop's backends against.
