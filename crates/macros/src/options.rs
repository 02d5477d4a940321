//! What may be written in the brackets of an attribute: `workers = N`, and the options that only one of the attributes has.

use crate::expand::Role;
use syn::{
    Error, Expr, ExprLit, Ident, Lit, LitBool, Result, Token,
    parse::{ParseStream, Parser},
};

/// What was written.
#[derive(Default, Debug)]
pub(crate) struct Options {
    pub(crate) workers: Option<usize>,
    /// Of a main function.
    pub(crate) cancel_on_ctrl_c: Option<bool>,
    /// Of a test.
    pub(crate) virtual_time: Option<bool>,
}

impl Options {
    /// Reads what is in the brackets of the attribute for that role.
    pub(crate) fn parse(role: Role, tokens: proc_macro2::TokenStream) -> Result<Self> {
        let parser = |input: ParseStream<'_>| {
            let mut options = Options::default();
            while !input.is_empty() {
                options.read(role, input)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(options)
        };
        parser.parse2(tokens)
    }

    /// Reads one option.
    fn read(&mut self, role: Role, input: ParseStream<'_>) -> Result<()> {
        let name: Ident = input.parse()?;
        match (name.to_string().as_str(), role) {
            ("workers", _) => put(&mut self.workers, &name, input, number_of_workers),
            ("cancel_on_ctrl_c", Role::Main) => put(&mut self.cancel_on_ctrl_c, &name, input, yes_or_no),
            ("virtual_time", Role::Test) => put(&mut self.virtual_time, &name, input, yes_or_no),
            _ => Err(Error::new(
                name.span(),
                format!(
                    "{} has no option `{name}`: there are `workers = N` and `{} = true`",
                    role.attribute(),
                    match role {
                        Role::Main => "cancel_on_ctrl_c",
                        Role::Test => "virtual_time",
                    }
                ),
            )),
        }
    }
}

/// Reads the value of an option that was not given yet.
fn put<T>(
    option: &mut Option<T>,
    name: &Ident,
    input: ParseStream<'_>,
    read: fn(&Ident, &Expr) -> Result<T>,
) -> Result<()> {
    if option.is_some() {
        return Err(Error::new(name.span(), format!("`{name}` is given twice")));
    }
    input.parse::<Token![=]>()?;
    *option = Some(read(name, &input.parse()?)?);
    Ok(())
}

fn number_of_workers(_: &Ident, value: &Expr) -> Result<usize> {
    let Expr::Lit(ExprLit {
        lit: Lit::Int(number), ..
    }) = value
    else {
        return Err(Error::new_spanned(
            value,
            "`workers` must be an integer, as in `workers = 4`",
        ));
    };
    match number.base10_parse()? {
        0 => Err(Error::new_spanned(value, "an event loop needs at least one worker")),
        workers => Ok(workers),
    }
}

fn yes_or_no(name: &Ident, value: &Expr) -> Result<bool> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(LitBool { value, .. }),
            ..
        }) => Ok(*value),
        _ => Err(Error::new_spanned(value, format!("`{name}` must be `true` or `false`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(role: Role, text: &str) -> std::result::Result<Options, String> {
        Options::parse(role, text.parse().unwrap()).map_err(|error| error.to_string())
    }

    fn workers(text: &str) -> std::result::Result<Option<usize>, String> {
        options(Role::Main, text).map(|options| options.workers)
    }

    #[test]
    fn nothing_needs_to_be_given() {
        assert_eq!(workers(""), Ok(None));
    }

    #[test]
    fn a_number_of_workers_is_taken_as_it_stands() {
        assert_eq!(workers("workers = 3"), Ok(Some(3)));
        assert_eq!(workers("workers = 0x10,"), Ok(Some(16)));
    }

    #[test]
    fn no_workers_at_all_are_refused() {
        assert!(workers("workers = 0").unwrap_err().contains("at least one worker"));
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for text in [
            "workers = \"two\"",
            "workers = 2.5",
            "workers = -1",
            "workers = N",
            "workers = true",
        ] {
            assert!(workers(text).unwrap_err().contains("must be an integer"), "{text}");
        }
        assert!(workers("workers = 99999999999999999999999").is_err());
    }

    #[test]
    fn each_attribute_has_an_option_of_its_own() {
        let main = options(Role::Main, "workers = 1, cancel_on_ctrl_c = true").unwrap();
        assert_eq!((main.workers, main.cancel_on_ctrl_c), (Some(1), Some(true)));
        let test = options(Role::Test, "virtual_time = false").unwrap();
        assert_eq!(test.virtual_time, Some(false));
        let error = options(Role::Main, "virtual_time = true").unwrap_err();
        assert!(error.contains("#[aioli::main] has no option `virtual_time`"), "{error}");
        let error = options(Role::Test, "cancel_on_ctrl_c = true").unwrap_err();
        assert!(
            error.contains("#[aioli::test] has no option `cancel_on_ctrl_c`"),
            "{error}"
        );
    }

    #[test]
    fn what_is_neither_true_nor_false_is_refused() {
        for text in ["virtual_time = 1", "virtual_time = \"true\"", "virtual_time = yes"] {
            let error = options(Role::Test, text).unwrap_err();
            assert_eq!(error, "`virtual_time` must be `true` or `false`", "{text}");
        }
    }

    #[test]
    fn an_unknown_option_is_named_in_the_error_and_so_are_those_that_there_are() {
        assert_eq!(
            workers("threads = 2").unwrap_err(),
            "#[aioli::main] has no option `threads`: there are `workers = N` and `cancel_on_ctrl_c = true`"
        );
    }

    #[test]
    fn an_option_may_not_be_repeated_or_left_without_a_value() {
        assert!(workers("workers = 1, workers = 2").unwrap_err().contains("twice"));
        assert!(
            workers("cancel_on_ctrl_c = true, cancel_on_ctrl_c = true")
                .unwrap_err()
                .contains("twice")
        );
        assert!(workers("workers").unwrap_err().contains("`=`"));
        assert!(workers("workers = 1 2").unwrap_err().contains("`,`"));
    }
}
