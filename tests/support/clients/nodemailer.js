// Composes a message with an attachment and sends it with Nodemailer. README.md says what stands in the environment.
"use strict";

const fs = require("fs");
const path = require("path");
const nodemailer = require("nodemailer");

const env = process.env;

const transport = nodemailer.createTransport({
  host: env.SMTP_HOST,
  port: Number(env.SMTP_PORT),
  requireTLS: true,
  tls: { ca: fs.readFileSync(env.SMTP_CA) },
  auth: { user: env.SMTP_USER, pass: env.SMTP_PASSWORD },
});

transport
  .sendMail({
    from: { name: env.FROM_NAME, address: env.FROM_ADDRESS },
    to: { name: env.TO_NAME, address: env.TO_ADDRESS },
    subject: env.SUBJECT,
    text: env.TEXT,
    attachments: [{ path: env.ATTACHMENT, filename: path.basename(env.ATTACHMENT) }],
  })
  .catch((error) => {
    console.error("nodemailer:", error);
    process.exitCode = 1;
  });
