//! What may be written in the brackets of an attribute: `workers = N`.

use syn::{
    Error, Expr, ExprLit, Ident, Lit, Result, Token,
    parse::{Parse, ParseStream},
};

/// What was written.
#[derive(Default, Debug)]
pub(crate) struct Options {
    pub(crate) workers: Option<usize>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Options::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            if name != "workers" {
                return Err(Error::new(
                    name.span(),
                    format!("there is no option `{name}`: the only one is `workers = N`"),
                ));
            }
            if options.workers.is_some() {
                return Err(Error::new(name.span(), "`workers` is given twice"));
            }
            input.parse::<Token![=]>()?;
            options.workers = Some(number_of_workers(&input.parse()?)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn number_of_workers(value: &Expr) -> Result<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(text: &str) -> std::result::Result<Option<usize>, String> {
        syn::parse_str::<Options>(text)
            .map(|options| options.workers)
            .map_err(|error| error.to_string())
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
    fn an_unknown_option_is_named_in_the_error() {
        assert!(workers("threads = 2").unwrap_err().contains("no option `threads`"));
    }

    #[test]
    fn an_option_may_not_be_repeated_or_left_without_a_value() {
        assert!(workers("workers = 1, workers = 2").unwrap_err().contains("twice"));
        assert!(workers("workers").unwrap_err().contains("`=`"));
        assert!(workers("workers = 1 2").unwrap_err().contains("`,`"));
    }
}
