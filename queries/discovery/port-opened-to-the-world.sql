-- title: A port opened to every address
-- answers: Which security groups let the whole internet in, on which request?
-- severity: high
-- mitre: T1562.007
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'groupId') AS security_group,
       json_extract_scalar(element_at(requestParameters, 'ipPermissions'), '$.items[0].fromPort') AS first_port,
       userIdentity.arn AS principal, sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'AuthorizeSecurityGroupIngress'
  AND errorCode IS NULL
  AND (element_at(requestParameters, 'ipPermissions') LIKE '%"cidrIp":"0.0.0.0/0"%'
       OR element_at(requestParameters, 'ipPermissions') LIKE '%"cidrIpv6":"::/0"%')
ORDER BY eventTime
