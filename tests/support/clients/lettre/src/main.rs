//! Composes a message with an attachment and sends it with lettre. README.md says what stands in the environment.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

fn mailbox(who: &str) -> Result<Mailbox, Box<dyn Error>> {
    let name = env::var(format!("{who}_NAME"))?;
    Ok(Mailbox::new(Some(name), env::var(format!("{who}_ADDRESS"))?.parse()?))
}

fn message() -> Result<Message, Box<dyn Error>> {
    let path = PathBuf::from(env::var("ATTACHMENT")?);
    let name = path.file_name().ok_or("ATTACHMENT has no name")?.to_string_lossy().into_owned();
    let attachment = Attachment::new(name).body(fs::read(&path)?, ContentType::parse("application/octet-stream")?);
    let parts = MultiPart::mixed().singlepart(SinglePart::plain(env::var("TEXT")?)).singlepart(attachment);
    let head = Message::builder().from(mailbox("FROM")?).to(mailbox("TO")?).subject(env::var("SUBJECT")?);
    Ok(head.multipart(parts)?)
}

fn transport() -> Result<SmtpTransport, Box<dyn Error>> {
    let host = env::var("SMTP_HOST")?;
    let authority = Certificate::from_pem(&fs::read(env::var("SMTP_CA")?)?)?;
    let tls = TlsParameters::builder(host.clone()).add_root_certificate(authority).build()?;
    Ok(SmtpTransport::starttls_relay(&host)?
        .port(env::var("SMTP_PORT")?.parse()?)
        .tls(Tls::Required(tls))
        .credentials(Credentials::new(env::var("SMTP_USER")?, env::var("SMTP_PASSWORD")?))
        .build())
}

fn main() -> Result<(), Box<dyn Error>> {
    transport()?.send(&message()?)?;
    Ok(())
}
