# Reference values from base R. Run once: Rscript methods.R (Debian's r-base-core). It writes methods-r.json beside itself.
number <- function(x) paste0("[", paste(formatC(x, digits = 17, format = "g"), collapse = ","), "]")
control <- c(10.1, 9.4, 12.3, 8.8, 11.0, 10.7, 9.9)
treatment <- c(11.2, 12.9, 10.8, 13.1, 12.0)
welch <- t.test(treatment, control)
p <- c(0.0001, 0.03, 0.004, 0.2, 0.05, 0.004)
fields <- c(
  tool = paste0('"', R.version.string, '"'),
  script = '"methods.R"',
  control = number(control),
  treatment = number(treatment),
  welchT = number(unname(welch$statistic)),
  welchDf = number(unname(welch$parameter)),
  welchP = number(welch$p.value),
  welchInterval = number(welch$conf.int),
  adjustP = number(p),
  holm = number(p.adjust(p, "holm")),
  bh = number(p.adjust(p, "BH")),
  powerN = number(power.t.test(delta = 0.3, sd = 1, power = 0.9, strict = TRUE)$n),
  powerOf = number(power.t.test(n = 64, delta = 0.5, sd = 1, strict = TRUE)$power),
  srmP = number(chisq.test(c(44700, 45489))$p.value),
  clopper = number(binom.test(8, 10)$conf.int),
  tTail = number(pt(c(2.5, 12), df = c(4.2, 30), lower.tail = FALSE)),
  fTail = number(pf(c(3, 40), c(2, 5), c(17, 9), lower.tail = FALSE)),
  betaQ = number(pbeta(0.052, 50001, 950001, lower.tail = FALSE))
)
writeLines(paste0("{\n", paste(sprintf('"%s":%s', names(fields), fields), collapse = ",\n"), "\n}"), "methods-r.json")
