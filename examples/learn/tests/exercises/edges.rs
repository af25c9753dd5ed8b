//! Step 7: the case of the kit that finds the forgetful loop.

use std::sync::Arc;

use conformance::{Exemption, check};
use learn::edges::FORGETFUL;

#[test]
fn the_forgetful_loop_loses_pipelined_messages() {
    let name = "replies_in_order_when_pipelined";
    let exemption = Exemption { name, reason: "it forgets a client that has had its turn" };
    check(Arc::new(FORGETFUL), name, "", &[exemption]); // which requires that it fails
    check(Arc::new(FORGETFUL), "replies_in_order", "", &[]);
}
