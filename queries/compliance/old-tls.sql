-- title: Calls over old TLS
-- answers: Which clients still speak TLS 1.0 or 1.1, to which services?
-- severity: low
-- outcomes: any
-- tags: tls
SELECT tlsDetails.tlsVersion AS version, eventSource, userIdentity.arn AS principal, userAgent, recipientAccountId,
       count(*) AS calls, max(eventTime) AS last
FROM $EDS_ID
WHERE tlsDetails.tlsVersion IN ('TLSv1', 'TLSv1.0', 'TLSv1.1')
GROUP BY tlsDetails.tlsVersion, eventSource, userIdentity.arn, userAgent, recipientAccountId
ORDER BY calls DESC, version, eventSource, principal, userAgent, recipientAccountId
LIMIT 100
