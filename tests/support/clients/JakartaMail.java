import jakarta.activation.DataHandler;
import jakarta.activation.FileDataSource;
import jakarta.mail.Authenticator;
import jakarta.mail.Message;
import jakarta.mail.PasswordAuthentication;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeBodyPart;
import jakarta.mail.internet.MimeMessage;
import jakarta.mail.internet.MimeMultipart;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Date;
import java.util.Properties;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/** Composes a message with an attachment and sends it with Jakarta Mail. README.md says what stands in the environment. */
public final class JakartaMail {
  private static String env(String name) {
    return System.getenv(name);
  }

  /** TLS that trusts the authority of SMTP_CA alone. */
  private static SSLSocketFactory trust() throws Exception {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream file = new FileInputStream(env("SMTP_CA"))) {
      trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context.getSocketFactory();
  }

  private static Session session() throws Exception {
    Properties settings = new Properties();
    settings.put("mail.smtp.host", env("SMTP_HOST"));
    settings.put("mail.smtp.port", env("SMTP_PORT"));
    settings.put("mail.smtp.auth", "true");
    settings.put("mail.smtp.starttls.enable", "true");
    settings.put("mail.smtp.starttls.required", "true");
    settings.put("mail.smtp.ssl.socketFactory", trust());
    settings.put("mail.smtp.ssl.checkserveridentity", "true");
    settings.put("mail.smtp.from", env("FROM_ADDRESS"));
    settings.put("mail.smtp.localhost", "client.test");
    return Session.getInstance(settings, new Authenticator() {
      @Override
      protected PasswordAuthentication getPasswordAuthentication() {
        return new PasswordAuthentication(env("SMTP_USER"), env("SMTP_PASSWORD"));
      }
    });
  }

  private static MimeMultipart content() throws Exception {
    MimeBodyPart text = new MimeBodyPart();
    text.setText(env("TEXT"), "UTF-8");
    MimeBodyPart attachment = new MimeBodyPart();
    File file = new File(env("ATTACHMENT"));
    attachment.setDataHandler(new DataHandler(new FileDataSource(file)));
    attachment.setFileName(file.getName());
    return new MimeMultipart(text, attachment);
  }

  public static void main(String[] arguments) throws Exception {
    MimeMessage message = new MimeMessage(session());
    message.setFrom(new InternetAddress(env("FROM_ADDRESS"), env("FROM_NAME"), "UTF-8"));
    message.setRecipient(Message.RecipientType.TO, new InternetAddress(env("TO_ADDRESS"), env("TO_NAME"), "UTF-8"));
    message.setSubject(env("SUBJECT"), "UTF-8");
    message.setSentDate(new Date());
    message.setContent(content());
    Transport.send(message);
  }
}
