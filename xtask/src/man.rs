//! Manual pages, one for each function of the C headers. Header and page come from the same comment.

use crate::run::{Failure, Workspace};
use std::fs;

/// The headers that functions stand in, and what programs include for them.
const HEADERS: [(&str, &str); 2] =
    [("libgearman-1.0/functions.h", "libgearman/gearman.h"), ("lineshaft.h", "lineshaft.h")];

/// One function of a header.
struct Function {
    name: String,
    /// The comment above it, its paragraphs as they stand.
    comment: Vec<String>,
    /// As it stands in the header, on several lines where it is long.
    prototype: String,
}

/// Every page with its file's name.
pub(crate) fn pages(workspace: &Workspace) -> Result<Vec<(String, String)>, Failure> {
    let mut pages = Vec::new();
    for (header, include) in HEADERS {
        let path = workspace.root.join("include").join(header);
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let page = |function: Function| (format!("{}.3", function.name), page(&function, include));
        pages.extend(functions(&text).into_iter().map(page));
    }
    Ok(pages)
}

fn functions(header: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once("/*\n") {
        let Some((comment, after)) = after.split_once("\n */\n") else { break };
        let Some((prototype, after)) = after.split_once(';') else { break };
        rest = after;
        let Some(prototype) = prototype.strip_prefix("GEARMAN_API") else { continue };
        let prototype = prototype.trim_start();
        let name = prototype.split('(').next().and_then(|front| front.rsplit([' ', '*']).next());
        let comment = comment.lines().map(|line| line.trim().to_owned()).collect();
        found.push(Function {
            name: name.unwrap_or_default().to_owned(),
            comment,
            prototype: format!("{prototype};"),
        });
    }
    found
}

fn page(function: &Function, include: &str) -> String {
    let Function { name, comment, prototype } = function;
    let summary = comment.join(" ");
    let end = [". ", ": ", "; "].iter().filter_map(|end| summary.find(end)).min();
    let summary = end.map_or(summary.trim_end_matches('.'), |end| &summary[..end]);
    // Lines that keep their places.
    let prototype = roff(prototype).replace('\n', "\n\\&");
    let mut text = format!(
        ".TH {} 3 \"\" \"Lineshaft\" \"libgearman\"\n.SH NAME\n{name} \\- {}\n.SH SYNOPSIS\n.nf\n\
         .B #include <{include}>\n.sp\n{prototype}\n.fi\n.SH DESCRIPTION\n",
        name.to_uppercase(),
        roff(summary),
    );
    for line in comment {
        text += if line.is_empty() { ".PP" } else { "" };
        text += &roff(line);
        text.push('\n');
    }
    text + ".SH SEE ALSO\nThe header has all functions and types.\n"
}

/// Text that roff prints as it stands.
fn roff(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('`', "");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_becomes_a_page() {
        let header = "#pragma once\n\n/*\n Frees it. NULL is allowed.\n\n .Twice too.\n */\nGEARMAN_API\nvoid it_free(it *one,\n             int two);\n";
        let found = functions(header);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "it_free");
        assert_eq!(found[0].prototype, "void it_free(it *one,\n             int two);");
        let page = page(&found[0], "it.h");
        assert!(page.contains(".SH NAME\nit_free \\- Frees it\n"), "{page}");
        assert!(
            page.contains(".SH DESCRIPTION\nFrees it. NULL is allowed.\n.PP\n\\&.Twice too.\n"),
            "{page}"
        );
    }
}
