//! Pages by hand that each break one assumption about where a body begins.

/// What is nasty about it, and the page.
#[rustfmt::skip]
pub(super) const NASTY: &[(&str, &str)] = &[
    (
        "an ordinary page",
        "<!doctype html>\n<html lang=en>\n<head>\n<title>x</title>\n</head>\n<body class=a>\n<p>hi</p>\n</body>\n</html>\n",
    ),
    ("no head", "<!doctype html><body><p>hi"),
    ("no body", "<!doctype html><title>x</title><p>hi"),
    ("no tags at all", "just text"),
    ("text behind blanks", " \n <title>x</title> \n text"),
    (
        "a head that is never closed",
        "<head><title>x</title><p>hi</p></body></html>",
    ),
    ("stray end tags first", "</p></div></title></br>hi"),
    ("a body's end tag first", "<title>x</title></body><p>hi"),
    ("an html end tag first", "<title>x</title></html><p>hi"),
    ("a head's end tag first", "</head><p>hi"),
    (
        "content behind html",
        "<html><body>a</body></html>b<p>c<!-- d -->",
    ),
    ("a stray div end", "<body></div><div>a</div></div></div>b"),
    (
        "a frameset",
        "<html><head><title>x</title></head><frameset cols='1,2'><frame src=a></frameset></html>",
    ),
    (
        "a frameset without a head",
        "<frameset><frame></frameset><noframes><body>x</body></noframes>",
    ),
    (
        "a frameset that replaces a body",
        "<title>x</title><div><span></span></div><frameset></frameset>",
    ),
    (
        "a frameset that comes too late",
        "<div>x</div><frameset></frameset>",
    ),
    (
        "a frameset behind a hidden field",
        "<input type=Hidden><frameset><frame>",
    ),
    ("a frameset behind a field", "<input><frameset><frame>"),
    ("a head in SVG", "<svg><head></head><body></body></svg>"),
    (
        "a body in a template",
        "<template><head></head><body></body><frameset></template><p>hi",
    ),
    (
        "a drawing in a template",
        "<template><svg><title><b>x</b></title><style><p></style></svg></template><title>y</title>z",
    ),
    (
        "CDATA in a template's drawing",
        "<template><svg><![CDATA[</template><body>]]></svg></template>x",
    ),
    ("a template that is never closed", "<template><p>hi"),
    (
        "a body in a comment",
        "<!-- <body> --><title>x</title><!-- </head><body> --><p>hi",
    ),
    ("a body in a script", "<script>'</body><body>'</script><body>x"),
    (
        "a script that hides its end",
        "<script><!--<script></script>--></script><body>x",
    ),
    (
        "a body in an attribute",
        "<html data-x='<body>'><meta content=\"<body>\"><body title='</head>'>x",
    ),
    ("two bodies", "<body a=1><body b=2>x<body c=3>"),
    ("two htmls", "<html a=1><head></head><html b=2><body>x<html c=3>"),
    ("two heads", "<head></head><head><title>x</title></head><p>y"),
    (
        "head elements behind the head",
        "<head></head><title>x</title><script></script><style></style><p>y",
    ),
    (
        "noscript in a head",
        "<head><noscript><img></noscript></head><body>x",
    ),
    (
        "noscript behind a head",
        "<head></head><noscript><link></noscript>x",
    ),
    ("a doctype too late", "<p>x<!doctype html>"),
    (
        "a quirky doctype",
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 3.2//EN\"><title>x</title><table><p>y",
    ),
    ("no doctype", "<html><head></head><body><p><table>"),
    ("a byte order mark", "\u{feff}<!doctype html><p>x"),
    ("a table first", "<table><tr><td>x"),
    (
        "blanks as references",
        "<head></head>&#32;&#x9;&Tab;&NewLine;&#13<p>x",
    ),
    ("an unfinished reference", "<title>x</title>&#32"),
    ("an unfinished tag", "<title>x</title><div class='"),
    ("an unfinished comment", "<title>x</title><!-- never"),
    ("an unfinished title", "<title>x"),
    ("an unfinished end tag", "<title>x</title"),
    ("nothing", ""),
    ("blanks and a comment", " \n<!-- x --> "),
    ("only a doctype", "<!doctype html>"),
    ("a page's own theme", "<html data-ours=mine><body>x"),
    ("html in upper case", "<HTML><HEAD><TITLE>x</TITLE></HEAD><BODY>y"),
    (
        "a processing instruction",
        "<?xml version='1.0'?><!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'><head/><body>x",
    ),
    ("self-closing html", "<html/><head/><title/>x</title><body/>y"),
    ("plain text in a body", "<body><plaintext></body>"),
    ("a select first", "<select><option>x</select>"),
    ("formulas", "<math><mi><p>x</p></mi></math><body y>"),
];
