//! The colours of pages and figures: safe for the colour-blind (after Okabe and Ito), with enough contrast on light and on dark paper.

use std::fmt::Write;

/// Number of colours of lines; the last one is a grey.
pub(crate) const LINE_COLOURS: usize = 6;

/// Number of colours of points.
pub(crate) const POINT_COLOURS: usize = 8;

/// Name, and value on light and on dark paper.
const COLOURS: &[(&str, &str, &str)] = &[
    ("paper", "#ffffff", "#14171b"),
    ("panel", "#f4f5f7", "#1d2127"),
    ("ink", "#1c2127", "#e6e9ed"),
    ("soft", "#5a6472", "#a3adba"),
    ("line", "#d7dce2", "#363d47"),
    ("c0", "#0072b2", "#56b4e9"),
    ("c1", "#d55e00", "#ff8a3d"),
    ("c2", "#00805c", "#2fc79a"),
    ("c3", "#b0508c", "#e29bc9"),
    ("c4", "#8a6a00", "#f0c53a"),
    ("c5", "#444b55", "#c9d1da"),
    ("m0", "#0072b2", "#4a9fe0"),
    ("m1", "#e69f00", "#e69f00"),
    ("m2", "#009e73", "#2fc79a"),
    ("m3", "#cc79a7", "#e29bc9"),
    ("m4", "#56b4e9", "#9bdcff"),
    ("m5", "#d55e00", "#ff7f2a"),
    ("m6", "#444b55", "#c9d1da"),
    ("m7", "#a69500", "#f0e442"),
];

/// The colours as custom properties of a page: light, dark where the reader prefers it, light on paper.
pub(crate) fn properties() -> String {
    let list = |dark: bool| {
        COLOURS.iter().fold(String::new(), |mut out, (name, light, night)| {
            let _ = write!(out, " --{name}: {};", if dark { night } else { light });
            out
        })
    };
    let (light, dark) = (list(false), list(true));
    format!(
        ":root {{ color-scheme: light dark;{light} }}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root {{{dark} }} }}\n"
    )
}

/// A style sheet with the light colours in place of the custom properties, for programs that do not know these.
pub(crate) fn resolved(style: &str) -> String {
    COLOURS.iter().fold(style.to_owned(), |style, (name, light, _)| {
        style.replace(&format!("var(--{name})"), light)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn texts_and_lines_have_contrast_on_both_papers() {
        let colour = |name: &str| *COLOURS.iter().find(|colour| colour.0 == name).unwrap();
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let (paper, panel) = (colour("paper"), colour("panel"));
        for (names, least) in [
            (&["ink", "soft"][..], 4.5),
            (&["c0", "c1", "c2", "c3", "c4", "c5"], 3.0),
        ] {
            for name in names {
                let (_, light, dark) = colour(name);
                for (paper, own) in [(paper.1, light), (panel.1, light), (paper.2, dark), (panel.2, dark)] {
                    assert!(
                        contrast(own, paper) >= least,
                        "{name} {own} on {paper}: {}",
                        contrast(own, paper)
                    );
                }
            }
        }
    }

    #[test]
    fn no_property_is_left_in_a_resolved_style() {
        assert_eq!(resolved("a { fill: var(--c0); }"), "a { fill: #0072b2; }");
        let figure = resolved(include_str!("figure.css"));
        assert!(!figure.contains("var("), "{figure}");
    }
}
