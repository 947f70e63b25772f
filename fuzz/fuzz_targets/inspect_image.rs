//! An image archive of any bytes, as a stream.
#![no_main]

use git_verdict::inspect::diff::{self, Size};
use git_verdict::inspect::image::{self, Options};
use git_verdict::inspect::{Limits, caches};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_uncompressed: 16 << 20, max_paths: 2000, max_name_bytes: 1 << 20, ..Limits::default() };
    if let Ok(image) = image::read_stream(data, "fuzz", &Options { limits, ..Options::default() }) {
        assert!(image.visible_bytes() <= image.file_bytes());
        caches::find_in_image(&image);
        let same = diff::images(&image, &image, Size::Stored, None);
        assert_eq!((same.total(), same.unexplained), (0, 0));
    }
});
