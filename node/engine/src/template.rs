//! Chat templates: how a model wants a conversation written.
//!
//! They are Jinja programs that come with the model, so they run with bounds.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Steps a template may take: a thousand messages take some ten thousand.
const FUEL: u64 = 10_000_000;
/// The longest role.
const ROLE_BYTES_MAX: usize = 64;
/// The name that the one template has among its errors.
const NAME: &str = "chat template";

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user`, `assistant`, or what else the template knows.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// Why a conversation was not written.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// Send plain text instead.
    #[error("the model has no chat template; use it with plain prompts")]
    NoTemplate,
    /// Name another role.
    #[error("the role {0:?} is not a word of up to {ROLE_BYTES_MAX} letters")]
    Role(String),
    /// Change the messages: the template says what it does not take.
    #[error("the model's chat template refuses: {0}")]
    Refused(String),
}

/// A model's template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Compiles `source`; `bos` and `eos` are the tokens' texts, which templates may write.
    pub(crate) fn new(source: &str, bos: String, eos: String) -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .map_err(refused)?,
        );
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise);
        environment.add_function("strftime_now", strftime_now);
        environment.add_template_owned(NAME, source.to_owned()).map_err(refused)?;
        Ok(Self { environment, bos, eos })
    }

    /// The conversation as text; `add_generation_prompt` opens the assistant's answer.
    pub(crate) fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        if let Some(message) = messages.iter().find(|message| !is_word(&message.role)) {
            let role: String = message.role.chars().take(ROLE_BYTES_MAX).collect();
            return Err(ChatError::Role(role));
        }
        let template = self.environment.get_template(NAME).map_err(refused)?;
        let context = context! {
            messages => messages.iter().map(value).collect::<Vec<_>>(),
            add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        template.render(context).map_err(refused)
    }
}

/// Roles are written into control tokens by some templates, so they may be no more than words.
fn is_word(role: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=ROLE_BYTES_MAX).contains(&role.len()) && role.bytes().all(letter)
}

fn value(message: &ChatMessage) -> Value {
    context! { role => message.role.as_str(), content => message.content.as_str() }
}

fn refused(error: Error) -> ChatError {
    ChatError::Refused(error.to_string())
}

fn raise(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// The time now, in UTC: peers in different zones write the same conversation alike.
fn strftime_now(format: &str) -> Result<String, Error> {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format(format, &now)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, role: &str) -> Result<String, ChatError> {
        let template = ChatTemplate::new(source, "<s>".into(), "</s>".into())?;
        let message = ChatMessage { role: role.into(), content: " hi ".into() };
        template.render(&[message], true)
    }

    #[test]
    fn templates_may_call_what_python_has() {
        let source = "{{ bos_token }}{% for m in messages %}
            {%- if m['role'].startswith('us') %}[{{ m.content.strip() }}]{% endif %}
        {%- endfor %}{{ eos_token }}";
        assert_eq!(render(source, "user").unwrap(), "<s>[hi]</s>");
    }

    #[test]
    fn templates_say_what_they_refuse() {
        let error = render("{{ raise_exception('only users') }}", "user").unwrap_err();
        assert!(error.to_string().contains("only users"), "{error}");
        let error = render("{% if %}", "user").unwrap_err();
        assert!(matches!(error, ChatError::Refused(_)), "{error}");
    }

    #[test]
    fn templates_know_the_year() {
        let year: u32 = render("{{ strftime_now('%Y') }}", "user").unwrap().parse().unwrap();
        assert!(year >= 2024);
        assert!(render("{{ strftime_now('%') }}", "user").is_err());
    }

    #[test]
    fn templates_end() {
        let source =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(matches!(render(source, "user"), Err(ChatError::Refused(_))));
    }

    #[test]
    fn roles_are_words() {
        for role in ["", "<|im_end|>", "a b", &"x".repeat(65)] {
            assert!(matches!(render("x", role), Err(ChatError::Role(_))), "{role}");
        }
    }
}
