//! The function that an attribute makes: the user's own, inside a synchronous one of the same name that runs it.
//!
//! The user's function is kept whole, rather than its body being moved into an async block, so that the compiler knows its return
//! type where it reads the body: `?` and `return` work, and errors point where they should.

use crate::options::Options;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

/// What the function is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Main,
    Test,
}

impl Role {
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Role::Main => "#[aioli::main]",
            Role::Test => "#[aioli::test]",
        }
    }
}

/// The function, or the error that says why there is none.
pub(crate) fn expand(role: Role, options: TokenStream, function: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(function) {
        Ok(function) => function,
        Err(error) => return error.into_compile_error(),
    };
    match parse_options(role, options).and_then(|options| run(role, &options, &function)) {
        Ok(function) => function,
        Err(error) => {
            // Something of that name must be there, or the compiler complains of its absence too.
            let (error, name, output) = (error.into_compile_error(), &function.sig.ident, &function.sig.output);
            quote!(#error #[allow(dead_code)] fn #name() #output { ::core::panic!("it did not compile") })
        }
    }
}

fn parse_options(role: Role, options: TokenStream) -> Result<Options> {
    let mut options = Options::parse(role, options)?;
    if role == Role::Test {
        options.workers.get_or_insert(1);
    }
    Ok(options)
}

fn run(role: Role, options: &Options, function: &ItemFn) -> Result<TokenStream> {
    let ItemFn { attrs, vis, sig, block } = function;
    if sig.asyncness.is_none() {
        return Err(Error::new_spanned(
            sig.fn_token,
            format!("{} is for async functions: write `async fn`", role.attribute()),
        ));
    }
    if !sig.inputs.is_empty() {
        return Err(Error::new_spanned(
            &sig.inputs,
            format!("a function with {} takes no arguments", role.attribute()),
        ));
    }
    let mut outer = sig.clone();
    outer.asyncness = None;
    let test = (role == Role::Test).then(|| quote!(#[::core::prelude::v1::test]));
    let workers = options.workers.map(|workers| quote!(.workers(#workers)));
    let ctrl_c = options.cancel_on_ctrl_c.map(|yes| quote!(.cancel_on_ctrl_c(#yes)));
    let virtual_time = options.virtual_time.map(|yes| quote!(.virtual_time(#yes)));
    let name = &sig.ident;
    let run = match options.cancel_on_ctrl_c {
        // A main function that was cancelled has no value to give.
        Some(true) => quote!(match runner.try_run(#name()) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(::aioli::JoinError::Panicked(panic)) => panic.resume(),
            ::core::result::Result::Err(::aioli::JoinError::Cancelled) => {
                runner.close();
                ::std::process::exit(130)
            }
        }),
        _ => quote!(runner.run(#name())),
    };
    Ok(quote! {
        #test
        #(#attrs)*
        #vis #outer {
            #sig #block

            match ::aioli::Builder::new() #workers #ctrl_c #virtual_time .build() {
                ::core::result::Result::Ok(mut runner) => #run,
                ::core::result::Result::Err(error) => ::core::panic!("cannot start an event loop: {error}"),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(role: Role, options: &str, function: &str) -> String {
        expand(role, options.parse().unwrap(), function.parse().unwrap()).to_string()
    }

    /// As `expanded`, in the spacing of token streams.
    fn spaced(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn attributes_visibility_and_return_type_stay() {
        let code = expanded(
            Role::Test,
            "",
            "#[should_panic(expected = \"x\")] #[ignore] pub async fn waits() -> Result<(), E> { done().await }",
        );
        let head =
            "#[::core::prelude::v1::test] #[should_panic(expected = \"x\")] #[ignore] pub fn waits() -> Result<(), E>";
        assert!(code.starts_with(&spaced(head)), "{code}");
        assert!(
            code.contains(&spaced("async fn waits() -> Result<(), E> { done().await }")),
            "{code}"
        );
    }

    #[test]
    fn a_test_has_one_worker_unless_it_says_otherwise() {
        assert!(expanded(Role::Test, "", "async fn f() {}").contains(&spaced(".workers(1usize)")));
        assert!(expanded(Role::Test, "workers = 3", "async fn f() {}").contains(&spaced(".workers(3usize)")));
    }

    #[test]
    fn a_main_has_the_default_number_of_workers_unless_it_says_otherwise() {
        assert!(!expanded(Role::Main, "", "async fn main() {}").contains("workers"));
        assert!(expanded(Role::Main, "workers = 3", "async fn main() {}").contains(&spaced(".workers(3usize)")));
    }

    #[test]
    fn the_other_options_go_to_the_builder() {
        let main = expanded(Role::Main, "cancel_on_ctrl_c = true", "async fn main() {}");
        assert!(main.contains(&spaced(".cancel_on_ctrl_c(true)")), "{main}");
        let test = expanded(Role::Test, "virtual_time = true", "async fn f() {}");
        assert!(test.contains(&spaced(".workers(1usize).virtual_time(true)")), "{test}");
        assert!(!expanded(Role::Test, "", "async fn f() {}").contains("virtual_time"));
    }

    #[test]
    fn a_function_that_is_not_async_is_refused() {
        let code = expanded(Role::Main, "", "fn main() {}");
        assert!(code.contains("#[aioli::main] is for async functions"), "{code}");
    }

    #[test]
    fn arguments_are_refused() {
        let code = expanded(Role::Test, "", "async fn f(port: u16) {}");
        assert!(
            code.contains("a function with #[aioli::test] takes no arguments"),
            "{code}"
        );
    }

    #[test]
    fn an_error_leaves_a_function_of_that_name_behind() {
        let code = expanded(Role::Main, "workers = 0", "async fn main() -> u8 { 1 }");
        assert!(code.contains("compile_error"), "{code}");
        assert!(code.contains(&spaced("fn main() -> u8")), "{code}");
    }

    #[test]
    fn what_is_no_function_is_refused() {
        assert!(expanded(Role::Main, "", "struct Main;").contains("compile_error"));
    }
}
