//! The guides, as they are in `docs`.

pub mod write_a_handler {
    // Before the guide's own, which lead from file to file.
    #![doc = "[compare.md]: super::compare\n[embed.md]: super::embed\n[push.md]: super::push\n[write-a-backend.md]: super::write_a_backend\n\n"]
    #![doc = include_str!("../docs/write-a-handler.md")]
}

pub mod embed {
    #![doc = "[operate.md]: super::operate#in-a-program-of-your-own\n[serve.md]: crate::Limits\n[tls.md]: super::tls#in-a-program-of-your-own\n\n"]
    #![doc = include_str!("../docs/embed.md")]
}

pub mod push {
    #![doc = include_str!("../docs/push.md")]
}

pub mod write_a_backend {
    #![doc = "[compare.md]: super::compare\n[write-a-handler.md]: super::write_a_handler\n\n"]
    #![doc = include_str!("../docs/write-a-backend.md")]
    #![allow(
        rustdoc::invalid_rust_codeblocks,
        reason = "one block ends with the end of what stands before it"
    )]
}

pub mod compare {
    #![doc = "[write-a-backend.md]: super::write_a_backend\n[write-a-handler.md]: super::write_a_handler\n\n"]
    #![doc = include_str!("../docs/compare.md")]
}

pub mod operate {
    #![doc = "[tls.md]: super::tls\n\n"]
    #![doc = include_str!("../docs/operate.md")]
}

pub mod tls {
    #![doc = "[operate.md]: super::operate#metrics-and-health\n\n"]
    #![doc = include_str!("../docs/tls.md")]
}

pub mod load {
    #![doc = include_str!("../docs/load.md")]
}
