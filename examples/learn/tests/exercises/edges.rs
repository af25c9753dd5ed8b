//! Step 7: the cases of the kit that find the forgetful loop and the greedy one.

use std::sync::Arc;

use conformance::{Exemption, check};
use learn::edges::{FORGETFUL, GREEDY};

#[test]
fn the_forgetful_loop_loses_pipelined_messages() {
    let name = "replies_in_order_when_pipelined";
    let exemption = Exemption { name, reason: "it forgets a client that has had its turn" };
    check(Arc::new(FORGETFUL), name, "", &[exemption]); // which requires that it fails
    check(Arc::new(FORGETFUL), "replies_in_order", "", &[]);
}

#[test]
fn the_greedy_loop_serves_the_busy_client_first() {
    let name = "client_with_much_input_does_not_go_first";
    let exemption = Exemption { name, reason: "it serves a client until no input is left" };
    check(Arc::new(GREEDY), name, "", &[exemption]); // which requires that it fails
    check(Arc::new(GREEDY), "replies_in_order_when_pipelined", "", &[]);
}
